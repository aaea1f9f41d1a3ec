"""One folder for each Lambda, named by its verb."""
