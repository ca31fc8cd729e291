"""A trained branch as a plain MMSeg checkpoint, ONNX or TorchScript; all branches as ONNX or TorchScript."""

import sys

from simeps_cli import Command

main = Command('export', renamed=dict(kind='format'))

if __name__ == '__main__':
    sys.exit(main())
