# See params.yaml, pretrain.
_base_ = '../../_base_/pretrain/downloaded.py'
