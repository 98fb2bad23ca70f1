"""HTTP answers that end: each as a whole has a time and a size, whichever library asks."""
