"""For jetson-containers, which runs this with the dict ``package`` among the globals."""

import subprocess
from pathlib import Path

from jetson_containers import CUDA_ARCHITECTURES

BOARDS = 87, 110  # Orin, Thor

package = globals()["package"]
package["build_args"] = {
    "CUDA_ARCHITECTURES": ";".join(f"{a}-real" for a in CUDA_ARCHITECTURES if a in BOARDS),
}
# The image is built from this folder alone: the sources come into it as an archive.
subprocess.run([str(Path(package["path"]).resolve() / "pack.sh")], check=True)
