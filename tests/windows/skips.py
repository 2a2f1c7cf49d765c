"""A pytest plugin (`-p tests.windows.skips`): skips, with its reason, each test that cannot run on Windows or in wine.

A name is part of a test's id. With "*", it is several parts in this order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

NAMES_BY_REASON: dict[str, tuple[str, ...]] = {
    "Windows has no permission bits: os.chmod knows only the attribute read-only": (
        "test_a_lost_exec_bit_is_stale_and_repaired",
        "test_modes_do_not_depend_on_the_umask",
        "test_the_file_is_for_its_owner_alone",
        "test_pictures_wait_for_a_folder_that_permissions_make_read_only",
        "test_a_missing_folder_can_be_used_when_it_is_back",
        "test_every_command_reports_records_that_cannot_be_written",
        "test_a_private_photo_gets_a_private_cut_out_that_its_owner_can_edit",
        "test_a_cut_out_that_a_person_has_made_private_stays_so_when_it_is_made_anew",
        "test_a_source_is_read_with_its_hash_and_permissions_and_not_changed",
        "test_the_record_is_for_its_owner_alone",
        "test_an_installed_model_is_for_its_owner_alone",
        "test_an_unknown_model_gets_a_plain_name_of_its_own",
    ),
    "Windows has no fork": (
        "test_a_kill_at_any_rename_leaves_nothing_that_uninstall_does_not_find",
        "test_a_repair_that_kill_9_interrupts_is_finished_by_the_next_program",
    ),
    "Windows has no FIFO": (
        "test_commit.py::test_a_file_that_is_not_ordinary_is_refused_at_once",
        "test_watch.py::test_only_regular_files_are_queued_and_none_is_opened",
        "test_a_file_that_is_no_picture_is_reported_and_the_others_are_queued",
        "test_what_is_not_a_file_is_refused_at_once",
    ),
    "Windows has no descriptors that a child inherits": (
        "test_a_child_that_inherits_the_lock_keeps_it_when_the_parent_releases_it",
        "test_the_program_is_started_with_the_lock_and_without_the_variables_of_the_file_manager",
    ),
    "Windows' names contain none of these characters, and are never invalid text": (
        "[caja-linux]",
        "test_uninstall_leaves_a_used_home_as_it_was",
        "test_a_name_that_is_not_valid_text_is_recorded_unchanged",
        "test_paths_and_uris_become_paths*caf%E9",
        "test_odd_names_arrive_byte_for_byte",
        "test_a_script_of_a_file_manager_passes_the_selection",
    ),
    "Windows deletes and renames no folder or database that a program has open": (
        "test_a_journal_that_was_replaced_notices",
        "test_a_client_notices_that_its_jobs_are_in_a_file_that_was_just_moved_aside",
        "test_a_picture_named_from_a_deleted_folder_is_not_there",
    ),
    "Linux' steps of publishing: O_TMPFILE, link, renameat2": (
        "test_commit.py*[no_anonymous_files",
        "test_commit.py*[no_hard_links",
        "test_commit.py*[no_exclusive_rename",
    ),
    "wine 8 makes no symbolic links": (
        "test_a_link_in_the_way_is_never_followed",
        "test_nothing_that_already_has_the_name_is_changed[nothing_missing-<lambda>1]",
        "test_a_file_that_was_saved_in_the_meantime_is_not_replaced[nothing_missing]",
        "test_a_picture_that_is_named_may_be_a_link_also_if_its_folder_was_chosen_before",
        "test_thunar.py::test_a_link_stays_a_link",
        "test_a_link_to_an_output_of_nobg_is_not_replaced_by_a_file",
        "test_a_link_or_a_folder_with_the_name_of_the_output_is_left_alone",
    ),
    "wine sets a file's time of access as the system below it does": ("test_reading_leaves_the_time_of_last_access",),
    "a file manager of Linux, by its scripts, its paths or its processes": (
        "test_a_desktop_without_autostart_files_is_named_with_the_command",
        "test_an_entry_whose_program_is_gone_starts_nothing",
        "test_golden_files*linux]",
        "test_golden_files*macos]",
        "test_nautilus.py::test_a_script_",
        "test_nautilus.py::test_the_extension_offers_to_touch_up_one_picture",
        "test_nautilus.py::test_a_click_starts_the_client_with_uris",
        "test_nautilus.py::test_in_recent_the_extension_uses_the_address_of_the_picture_itself",
        "test_status_says_what_to_do_with_thousands_of_pictures_where_scripts_cannot_start",
        "test_package.py::test_nobg_runs_from_a_checkout[command0]",
        "test_processes.py::",
        "test_uninstall_restores_the_file_byte_for_byte",
        "test_an_action_starts_the_client_or_says_that_nobg_was_removed",
        "test_finder.py::test_the_services_of_others_stay",
        "test_finder.py::test_each_quick_action_names_nobg",
    ),
    "the stand-in is a shell script": (
        "test_undo.py::test_a_reader_that_closes_the_pipe_early_causes_no_error",
        "test_the_window_is_opened_on_the_one_picture_that_is_selected",
        "test_the_page_is_written_for_its_owner_and_opened",
    ),
    "the test compares with paths or line ends of Linux": (
        "test_a_cut_out_that_a_person_edited_counts_after_the_album_was_moved",
        "test_a_picture_moved_away_from_its_cut_out_gets_one_from_the_known_bytes",
        "test_the_doubt_of_the_journal_is_shown_as_json",
        "test_the_records_of_the_first_version_are_kept",
        "test_an_unchanged_file_with_a_job_is_queued_again_for_a_person_but_not_for_a_folder",
        "test_the_queued_jobs_of_a_folder_that_is_no_longer_watched_are_removed",
        "test_a_new_default_recipe_applies_only_to_files_that_a_folder_does_not_know",
        "test_a_recursive_folder_leaves_nothing_inside",
        "test_watchdog_reports_new_renamed_and_moved_in_files",
        "test_a_recursive_watch_includes_sub_folders_except_excluded_ones",
        "test_of_nested_watched_folders_the_inner_one_applies",
        "test_a_disabled_folder_is_excluded_from_the_one_around_it",
        "test_output_on_windows_goes_into_a_file_as_utf_16[False]",
        "test_config.py::",
        "test_a_key_of_the_first_version_is_still_written_and_read",
        "test_what_a_person_writes_is_read_and_written_again_and_survives_the_journal",
        "test_each_way_of_writing_a_setting_is_understood[background-/a b",
    ),
    "the stand-in's nobg-add.exe does not exist, which only Windows checks; see test_registry.py": (
        "test_explorer.py::test_install_writes_the_intended_values",
        "test_explorer.py::test_install_repairs_a_changed_value_and_uninstall_leaves_it",
        "test_explorer.py::test_the_run_key_gets_one_value_and_loses_it_again",
    ),
    "the test looks into Linux' trash; see test_whole_program.py": (
        "test_the_command_undoes_what_it_can_names_the_rest_and_exits_1",
    ),
    "the kit's Python starts with other modules than one of Linux": (
        "test_with_a_recipe_the_client_still_loads_only_the_standard_library",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of NAMES_BY_REASON."""
    for item in items:
        for reason in _reasons(item.nodeid):
            item.add_marker(pytest.mark.skip(reason=reason))


def _reasons(test: str) -> Iterator[str]:
    for reason, names in NAMES_BY_REASON.items():
        if any(_matches(name, test) for name in names):
            yield reason


def _matches(name: str, test: str) -> bool:
    for part in name.split("*"):
        _, found, test = test.partition(part)
        if not found:
            return False
    return True
