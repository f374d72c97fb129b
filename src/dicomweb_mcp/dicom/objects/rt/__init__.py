"""Objects of radiotherapy: structure sets, plans, doses, images, treatment records."""
