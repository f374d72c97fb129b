"""What is drawn over a picture: segments and contours, placed by patient coordinates alone."""
