import Control

ImapCtl.main()
