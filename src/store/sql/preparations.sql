-- SPDX-License-Identifier: Apache-2.0
-- All preparations, the newest first.
SELECT model_path, output_path, deployment_target, power_profile, status, error, finished_at, record
FROM preparations ORDER BY finished_at DESC
