# Tables X, XXI (last row) and XXIII (FC).
_base_ = '../../_base_/experiments/gella_smoke.py'
