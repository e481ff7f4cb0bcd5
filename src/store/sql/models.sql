-- SPDX-License-Identifier: Apache-2.0
-- One row per model path, the most recently used first: newest preparation and load, statistics.
WITH statistics AS (
  SELECT model_path, inference_count, total, average_ms, percentiles[1] * 1000 AS p50_ms,
         percentiles[2] * 1000 AS p99_ms, last_used_at
  FROM (
    SELECT model_path, count(*) AS inference_count, sum(inference_time_seconds) AS total,
           avg(inference_time_seconds) * 1000 AS average_ms,
           quantile_cont(inference_time_seconds, [0.5, 0.99]) AS percentiles,
           max(finished_at) AS last_used_at
    FROM inferences GROUP BY model_path)
), seen AS (
  SELECT CASE WHEN output_path <> '' THEN output_path ELSE model_path END AS model_path,
         finished_at AS seen_at FROM preparations WHERE status <> 'not_found'
  UNION ALL SELECT model_path, loaded_at FROM loads
  UNION ALL SELECT model_path, last_used_at FROM statistics
), paths AS (
  SELECT model_path, max(seen_at) AS seen_at FROM seen GROUP BY model_path
), prepared AS (
  SELECT *, CASE WHEN output_path <> '' THEN output_path ELSE model_path END AS subject
  FROM preparations WHERE status <> 'not_found'
  QUALIFY row_number() OVER (PARTITION BY subject ORDER BY finished_at DESC) = 1
), loaded AS (
  SELECT * FROM loads
  QUALIFY row_number() OVER (PARTITION BY model_path ORDER BY loaded_at DESC) = 1
)
SELECT paths.model_path, coalesce(inference_count, 0), coalesce(total, 0), average_ms, p50_ms,
       p99_ms, last_used_at, prepared.model_path, output_path, deployment_target, power_profile,
       status, error, prepared.finished_at, record, loaded.model_path, model_type,
       execution_provider, loading_time_seconds, loaded_at
FROM paths
LEFT JOIN statistics ON statistics.model_path = paths.model_path
LEFT JOIN prepared ON prepared.subject = paths.model_path
LEFT JOIN loaded ON loaded.model_path = paths.model_path
ORDER BY paths.seen_at DESC, paths.model_path
