# Nothing is trained at paper scale: params.yaml's `weights` names the downloaded folder, if there is one.
_base_ = '../default_runtime.py'
