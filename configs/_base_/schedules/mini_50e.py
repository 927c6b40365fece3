# 900 iterations for 50 epochs: 36 passes over the generated COCO's 200 pictures.
_base_ = './mini.py'
