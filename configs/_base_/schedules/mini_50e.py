# 900 iterations stand for 50 epochs: 3.6 passes over PNG's 2,000 generated pictures.
_base_ = './mini.py'
