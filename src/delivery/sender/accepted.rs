//! The edge said yes: nearly always to everything, and then nothing is done event by event.

use crate::delivery::rules::Accepted;
use crate::delivery::sender::Sender;
use crate::delivery::sender::health::Permit;
use crate::delivery::sender::settle::Settlement;
use crate::store::outbox::{Class, EdgeAnswer, EventVerdict, KindCode, PendingBatch, Settled};
use orderfeed_model::clock::UtcMillis;

/// A yes is remembered with at most so many remarks.
const MOST_NOTES: usize = 20;

impl Sender {
    /// These batches are at the edge; some of their events perhaps with a remark.
    pub(super) fn delivered(
        &mut self,
        batches: Vec<PendingBatch>,
        kinds: Vec<Vec<(KindCode, u64)>>,
        accepted: Accepted,
        answer: EdgeAnswer,
        now: UtcMillis,
    ) {
        self.isolation.accepted(batches.iter().map(|batch| batch.id));
        self.health.accepted(now);
        if self.health.permit(now) == Permit::Send {
            self.log.log_recovery(now);
        }
        let events: usize = batches.iter().map(|batch| batch.events).sum();
        self.shared
            .stats
            .delivered((events - accepted.suppressed.len()) as u64);
        self.shared.stats.suppressed(accepted.suppressed.len() as u64);
        // History was noticed long ago by design; it would hide how live changes fare.
        for batch in batches.iter().filter(|batch| batch.class == Class::Live) {
            let millis = now.millis_since(batch.changed_at);
            self.gauge.took(millis, batch.events as u64);
        }
        if accepted == Accepted::default() {
            let settled = |(batch, kinds): (PendingBatch, Vec<(KindCode, u64)>)| Settled {
                id: batch.id,
                website: batch.website,
                kinds,
            };
            let settled = batches.into_iter().zip(kinds).map(settled).collect();
            self.unsettled.push(Settlement::Delivered(settled, answer));
            return;
        }
        self.log.log_warnings(&accepted, &answer);
        self.delivered_with_remarks(&batches, kinds, &accepted, &answer);
    }

    /// Each batch gets the remarks about its own events, by their index in the batch.
    fn delivered_with_remarks(
        &mut self,
        batches: &[PendingBatch],
        kinds: Vec<Vec<(KindCode, u64)>>,
        accepted: &Accepted,
        answer: &EdgeAnswer,
    ) {
        let mut start = 0;
        for (batch, kinds) in batches.iter().zip(kinds) {
            let own = start..start + batch.events;
            let suppressed = accepted.suppressed.iter().filter(|event| own.contains(event));
            let verdicts: Vec<_> = suppressed
                .map(|event| (event - start, EventVerdict::Suppressed("consent".to_owned())))
                .collect();
            let notes = accepted.warnings.iter().filter(|(event, _)| own.contains(event));
            let notes = notes.map(|(event, note)| format!("event {}: {note}", event - start));
            let anomaly = accepted.anomaly.map(str::to_owned);
            let notes: Vec<_> = notes.chain(anomaly).take(MOST_NOTES).collect();
            let answer = EdgeAnswer {
                note: (!notes.is_empty()).then(|| notes.join("; ")),
                ..answer.clone()
            };
            start = own.end;
            self.unsettled.push(match verdicts.is_empty() {
                true => {
                    let settled = Settled {
                        id: batch.id,
                        website: batch.website,
                        kinds,
                    };
                    Settlement::Delivered(vec![settled], answer)
                }
                false => Settlement::Each {
                    id: batch.id,
                    verdicts,
                    answer,
                },
            });
        }
    }
}
