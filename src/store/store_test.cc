// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "core/atomic_file.h"
#include "store/duckdb.h"

namespace wattwise::store {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = *system_env().make_temp_directory(); }
  void TearDown() override { ASSERT_TRUE(system_env().remove(folder_).has_value()); }
  std::string path() const { return join_path(folder_, "test.duckdb"); }
  std::unique_ptr<Store> open() {
    auto store = open_store(system_env(), {path(), "", {}});
    EXPECT_TRUE(store.has_value()) << store.error().to_string();
    return store ? std::move(*store) : nullptr;
  }
  /// As if nobody had written to the journals for an hour.
  void age_journals() {
    for (const auto& file : std::filesystem::directory_iterator(path() + ".journal")) {
      std::filesystem::last_write_time(file, file.last_write_time() - std::chrono::hours(1));
    }
  }
  /// Of inferences, without those in journals.
  int rows_in_file() {
    auto database = Database::start(*load_duckdb(system_env(), "").value());
    EXPECT_TRUE(database->attach(path()));
    return std::stoi(*(*database->rows("SELECT count(*) FROM inferences"))[0][0]);
  }
  std::string folder_;
};

Inference inference(const std::string& model, double seconds) {
  Inference row;
  row.model_path = model;
  row.finished_at = 1000;
  row.inference_time_seconds = seconds;
  row.energy_origin = "absent";
  return row;
}

TEST_F(StoreTest, KeepsWhatItWasGivenOverReopening) {
  {
    auto store = open();
    Preparation row{"/in.onnx", "/out.onnx", "ANDROID", "BALANCED",
                    "ready",    "",          5,         {{"k", "it's"}}};
    ASSERT_TRUE(store->add(row).has_value());
    for (int i = 1; i <= 3; ++i) ASSERT_TRUE(store->add(inference("/out.onnx", i * 1e-3)));
  }
  const auto summary = open()->model("/out.onnx");
  ASSERT_TRUE(summary.has_value()) << summary.error().to_string();
  EXPECT_EQ(summary->inference_count, 3);
  EXPECT_NEAR(*summary->p50_ms, 2, 1e-9);
  EXPECT_EQ(summary->preparation->record["k"], "it's");
  EXPECT_TRUE(open()->model("/in.onnx").has_value()) << "the original's path finds it too";
}

TEST_F(StoreTest, AnUnknownModelSuggestsTheNearest) {
  auto store = open();
  ASSERT_TRUE(store->add(inference("/models/reader.onnx", 1)));
  const auto missing = store->model("/models/raeder.onnx");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message().find("/models/reader.onnx"), std::string::npos);
}

TEST_F(StoreTest, ProcessesShareOneFileAndNothingIsLostWhenOneIsKilled) {
  constexpr int kProcesses = 4;
  constexpr int kRows = 200;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = open_store(system_env(), {path(), "", {}});
      bool ok = store.has_value();
      for (int i = 0; ok && i < kRows; ++i) {
        ok = (*store)->add(inference("/m.onnx", 1e-3)).has_value();
        if (ok && i % 50 == 49 && process % 2 == 0) ok = (*store)->flush().has_value();
      }
      // Half of them die without a chance to write anything out.
      if (process % 2 == 1 && ok) ::kill(::getpid(), SIGKILL);
      if (ok) store->reset();
      ::_exit(ok ? 0 : 1);  // a child must not run the parent's exit handlers
    }
    children.push_back(child);
  }
  for (size_t i = 0; i < children.size(); ++i) {
    int status = 0;
    ::waitpid(children[i], &status, 0);
    EXPECT_TRUE(i % 2 == 1 ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const auto summary = open()->model("/m.onnx");
  ASSERT_TRUE(summary.has_value()) << summary.error().to_string();
  EXPECT_EQ(summary->inference_count, kProcesses * kRows);
}

TEST_F(StoreTest, ADamagedFileIsRefusedAndLeftAsItWas) {
  auto file = system_env().create_file(path());
  const std::string garbage(5000, 'x');
  ASSERT_TRUE((*file)->append(std::as_bytes(std::span<const char>(garbage))).has_value());
  ASSERT_TRUE((*file)->close().has_value());
  const auto store = open_store(system_env(), {path(), "", {}});
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(*system_env().read_file(path()), garbage);
}

TEST_F(StoreTest, AFileThatIsCutOffIsRefusedAndLeftAsItWas) {
  {
    auto store = open();
    for (int i = 0; i < 2000; ++i) ASSERT_TRUE(store->add(inference("/m.onnx", 1e-3)));
  }
  const std::string whole = *system_env().read_file(path());
  for (const size_t kept : {whole.size() / 2, whole.size() - 1000}) {
    ASSERT_TRUE(write_file_atomically(system_env(), path(), whole.substr(0, kept)).has_value());
    const auto store = open_store(system_env(), {path(), "", {}});
    ASSERT_FALSE(store.has_value()) << kept;
    EXPECT_EQ(store.error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(*system_env().read_file(path()), whole.substr(0, kept));
  }
}

TEST_F(StoreTest, ADatabaseOfAnotherProgramIsRefusedAndLeftAsItWas) {
  {
    const DuckDbApi* api = *load_duckdb(system_env(), "");
    auto database = Database::start(*api);
    ASSERT_TRUE(database->attach(path()).has_value());
    ASSERT_TRUE(database->run("CREATE TABLE mine (a INTEGER)").has_value());
    ASSERT_TRUE(database->detach().has_value());
  }
  const std::string before = *system_env().read_file(path());
  const auto store = open_store(system_env(), {path(), "", {}});
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message().find("mine"), std::string::npos);
  EXPECT_EQ(*system_env().read_file(path()), before);
}

TEST_F(StoreTest, AWriterDoesNotWaitForOthersAndItsRowsArriveWithTheNextReader) {
  open();
  auto lock = system_env().lock_file(path() + ".lock", Seconds(1));
  ASSERT_TRUE(lock.has_value());
  const Seconds start = system_env().monotonic_now();
  {
    auto store = open();
    ASSERT_TRUE(store->add(inference("/m.onnx", 1e-3)));
    ASSERT_TRUE(store->flush().has_value());
  }
  EXPECT_LT(system_env().monotonic_now() - start, Seconds(5));
  lock->reset();
  EXPECT_EQ(open()->model("/m.onnx")->inference_count, 1);
}

TEST_F(StoreTest, ANewerVersionIsRefused) {
  open();
  {
    const auto api = load_duckdb(system_env(), "");
    auto database = Database::start(**api);
    ASSERT_TRUE(database->attach(path()).has_value());
    ASSERT_TRUE(database->run("UPDATE schema_version SET version = 99").has_value());
  }
  const auto store = open_store(system_env(), {path(), "", {}});
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code(), ErrorCode::kUnsupported);
  StoreOptions to_read;
  to_read.path = path();
  to_read.used_at_once = true;
  const auto reader = open_store(system_env(), to_read);
  ASSERT_TRUE(reader.has_value()) << "it is the read that opens the file";
  EXPECT_EQ((*reader)->models().error().code(), ErrorCode::kUnsupported);
}

TEST_F(StoreTest, OldRowsAreForgottenAtOpening) {
  ASSERT_TRUE(open()->add(inference("/m.onnx", 1)));
  EXPECT_EQ(open()->models()->size(), 1u);
  const auto store = open_store(system_env(), {path(), "", {}, 1});
  EXPECT_TRUE((*store)->models()->empty());
}

TEST_F(StoreTest, AJournalWhoseProcessLivesIsNotRemoved) {
  auto writer = open();
  auto reader = open();
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(writer->add(inference("/m.onnx", 1)));
    EXPECT_EQ((*reader->models())[0].inference_count, i);
  }
  writer.reset();
  age_journals();
  EXPECT_EQ((*reader->models())[0].inference_count, 3) << "and none is counted twice";
  EXPECT_TRUE(system_env().list_directory(path() + ".journal")->empty());
}

TEST_F(StoreTest, AReaderSeesAFewRowsAndLeavesThemInTheirJournal) {
  auto writer = open();
  ASSERT_TRUE(writer->add(inference("/m.onnx", 1)));
  auto reader = open_store(system_env(), {path(), "", {}, 1e9, true});
  EXPECT_EQ((*(*reader)->models())[0].inference_count, 1);
  EXPECT_EQ(rows_in_file(), 0);
  for (int i = 1; i < 1000; ++i) ASSERT_TRUE(writer->add(inference("/m.onnx", 1)));
  EXPECT_EQ((*(*reader)->models())[0].inference_count, 1000);
  EXPECT_EQ(rows_in_file(), 1000) << "so many would make every reader slow";
}

TEST_F(StoreTest, AReaderMovesTheRowsOfAProcessThatDied) {
  open();  // creates the file
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = open_store(system_env(), {path(), "", {}});
    if (store) [[maybe_unused]]
      const auto added = (*store)->add(inference("/m.onnx", 1));
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  auto reader = open_store(system_env(), {path(), "", {}, 1e9, true});
  EXPECT_EQ((*(*reader)->models())[0].inference_count, 1);
  EXPECT_EQ(rows_in_file(), 0) << "someone may do so who writes anyway";
  age_journals();
  EXPECT_EQ((*(*reader)->models())[0].inference_count, 1);
  EXPECT_EQ(rows_in_file(), 1);
  EXPECT_TRUE(system_env().list_directory(path() + ".journal")->empty());
}

TEST_F(StoreTest, AJournalThatIsGoneLeavesNoOffset) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(open()->add(inference("/m.onnx", 1e-3)));  // closing moves the row and the journal
  }
  open();  // removes the last journal, and what was known of the one before
  ASSERT_EQ(open()->model("/m.onnx")->inference_count, 3);
  auto database = Database::start(*load_duckdb(system_env(), "").value());
  ASSERT_TRUE(database->attach(path()));
  EXPECT_EQ(database->rows("SELECT journal FROM journal_offsets")->size(), 0U);
  ASSERT_TRUE(database->detach());
}

TEST_F(StoreTest, WhatIsNoDatabaseGetsNothingBesideIt) {
  ASSERT_TRUE(write_file_atomically(system_env(), path(), "# a text\n"));
  const auto text = open_store(system_env(), {path(), "", {}});
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(*system_env().list_directory(folder_), std::vector<std::string>{"test.duckdb"});
  const auto folder = open_store(system_env(), {folder_, "", {}});
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(system_env().stat(folder_ + ".lock").has_value());
}

TEST_F(StoreTest, APlaceThatCannotBeWrittenSaysWhatToDo) {
  const auto store = open_store(system_env(), {path() + "/below/a/file", "", {}});
  EXPECT_TRUE(store.has_value()) << "folders are made";
  const StoreOptions below{path() + "/below/a/file/x/y", "", {}};
  const StoreOptions closed{"/proc/wattwise/test.duckdb", "", {}};
  for (const auto& [options, code] :
       {std::pair(below, ErrorCode::kInvalidArgument), {closed, ErrorCode::kIo}}) {
    const auto refused = open_store(system_env(), options);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), code);
    EXPECT_NE(refused.error().message().find("--db-path"), std::string::npos);
  }
  EXPECT_FALSE(store_exists(system_env(), below).has_value());
}

TEST_F(StoreTest, ExistsOnceSomethingIsRecorded) {
  EXPECT_FALSE(*store_exists(system_env(), {path(), "", {}}));
  open();
  EXPECT_TRUE(*store_exists(system_env(), {path(), "", {}}));
}

TEST_F(StoreTest, APathWithoutAFileIsKeptButIsNoModel) {
  auto store = open();
  const auto failed = [](const char* model, const char* status) {
    return Preparation{model, "", "ANDROID", "BALANCED", status, "no", 5, nullptr};
  };
  ASSERT_TRUE(store->add(failed("/none.onnx", "not_found")));
  ASSERT_TRUE(store->add(failed("/broken.onnx", "failed")));
  const auto models = store->models();
  ASSERT_TRUE(models.has_value());
  ASSERT_EQ(models->size(), 1U);
  EXPECT_EQ((*models)[0].model_path, "/broken.onnx");
  EXPECT_FALSE((*models)[0].is_deployed());
  EXPECT_EQ(store->preparations(10)->size(), 2U);
}

}  // namespace
}  // namespace wattwise::store
