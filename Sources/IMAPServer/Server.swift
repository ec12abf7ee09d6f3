import Gate
