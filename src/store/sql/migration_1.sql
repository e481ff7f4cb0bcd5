-- SPDX-License-Identifier: Apache-2.0
-- Version 1. Times are seconds since the epoch.
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE journal_offsets (journal VARCHAR PRIMARY KEY, consumed_bytes BIGINT NOT NULL);
CREATE TABLE preparations (
  model_path VARCHAR NOT NULL, output_path VARCHAR NOT NULL, deployment_target VARCHAR NOT NULL,
  power_profile VARCHAR NOT NULL, status VARCHAR NOT NULL, error VARCHAR NOT NULL,
  finished_at DOUBLE NOT NULL, record VARCHAR NOT NULL);
CREATE TABLE loads (
  model_path VARCHAR NOT NULL, model_type VARCHAR NOT NULL, execution_provider VARCHAR NOT NULL,
  loading_time_seconds DOUBLE NOT NULL, loaded_at DOUBLE NOT NULL);
CREATE TABLE inferences (
  model_path VARCHAR NOT NULL, finished_at DOUBLE NOT NULL,
  inference_time_seconds DOUBLE NOT NULL,
  batch_size BIGINT NOT NULL, throttling_level BIGINT NOT NULL, energy_mj DOUBLE,
  energy_origin VARCHAR NOT NULL);
CREATE TABLE events (
  happened_at DOUBLE NOT NULL, kind VARCHAR NOT NULL, subject VARCHAR NOT NULL,
  detail VARCHAR NOT NULL);
