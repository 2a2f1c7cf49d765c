"""What Windows needs around pystray's icon: sharp pictures, a menu that keeps, and plain notifications."""
