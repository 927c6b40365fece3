# Table XXIII: two fully connected layers with a ReLU between them.
_base_ = '../../_base_/experiments/gella_mini.py'

model = dict(association=dict(structure='fc-relu-fc'))
