"""COCO and its kin: annotations by image, and the detection sets made of them."""
