"""Reading what others wrote: JSON of any size, pickles as data, fields, names of images."""
