# Table X: the larger language model, which params.yaml names; all else as GELLA-7B.
_base_ = '../../_base_/experiments/gella_smoke.py'
