# SPDX-License-Identifier: Apache-2.0
"""The command line under the name that its guide uses."""
from wattwise.__main__ import main

main()
