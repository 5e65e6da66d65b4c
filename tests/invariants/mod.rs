//! The invariants I1–I11 of `docs/ARCHITECTURE.md`, each with tests that can fail. Invariants that one module can
//! prove are tested there; these tests need the whole program.
//!
//! | | invariant | in its module | in the whole program |
//! |---|---|---|---|
//! | I1 | a cursor moves with its changelog rows | `store::changelog`: `cursors_move_with_their_changes_or_not_at_all`; `indexer::capture`: `a_cursor_stays_where_it_is_when_its_changes_cannot_be_written` | `kills::a_cursor_and_the_changes_that_it_covers_are_seen_together_or_not_at_all`, `main_job` |
//! | I2 | feed, events and version move together | `indexer::tests`: `each_batch_is_a_checkpoint_and_only_the_failed_one_is_read_again` | `kills::every_snapshot_of_the_store_is_whole_and_kills_lose_nothing` |
//! | I3 | an id depends on data space, kind, document | `events::identity`: `an_event_id_is_frozen_for_all_time` | `bytes::a_lost_store_makes_the_same_events_again`, `idempotence`, `main_job` |
//! | I4 | bytes never change | `store::outbox`: `an_event_enters_once_and_its_bytes_never_change`, `one_bad_event_is_parked_alone_and_can_be_sent_again_with_the_same_bytes` | `bytes::a_resent_event_keeps_its_bytes_when_the_order_has_changed` |
//! | I5 | delivered only after acceptance | `delivery::stops`: `a_kill_between_recording_and_ack_repeats_the_same_bytes` | `kills::nothing_is_delivered_before_the_edge_has_answered` |
//! | I6 | an order's events in order | `store::outbox`: `a_later_event_of_an_order_waits_until_the_one_before_is_final`, `delivery::order` | `delivery::storm`, and `edge::assert_promises` everywhere |
//! | I7 | nothing lost, little repeated | `indexer::capture`: `the_source_may_forget_only_what_is_in_the_store`; `store::engine`: `a_full_disk_fails_the_transaction_with_a_sentence_and_is_announced_once` | `kills`, `main_job`, `outages` |
//! | I8 | the version never passes the head, ids never rewind | `store::changelog`: `version_ids_never_rewind_when_everything_is_cleaned`, `store::views`: `the_version_cannot_pass_the_changelog_nor_go_back` | `resources::a_changelog_cleaned_to_the_last_row_continues_where_it_was` |
//! | I9 | bounded memory, a change costs the same | `store::outbox`: `a_change_costs_the_same_beside_a_long_history` | `resources::memory_does_not_grow_with_the_backlog` |
//! | I10 | nothing personal, no secret | `events::properties`, `ops::line` | `privacy::neither_payloads_nor_the_log_name_a_person_or_a_secret` |
//! | I11 | no source query holds up the daemon | `source::statements` | `outages::hanging` |

mod bytes;
mod idle;
mod kills;
mod privacy;
mod resources;
