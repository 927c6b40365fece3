"""MMEngine glue: registered data sets, hooks and metrics, checkpoints, resume, launch."""

from workbench.engine.ops import ensure_mmcv_ops

ensure_mmcv_ops()
