//! Advice on parked events by their code. The codes and their meanings are Adobe's (troubleshooting page of the data collection
//! APIs); the advice is ours.

use crate::store::outbox::ParkedEvent;
use orderfeed_events::EventKind;

/// Returns the reason and the next step. Our own reasons are quoted in full; the edge's text may quote the event.
pub fn parked_remedy(parked: &ParkedEvent, kind: EventKind) -> String {
    // Without a body the event could not be rendered.
    if parked.body.is_none() {
        return format!("{}; a retry reads the order again", parked.detail);
    }
    let advice = match parked.code.as_str() {
        "too_large" => {
            "the edge accepts no request as large as this event alone: it has too many item lines to be sent"
        }
        "EXEG-0304-400" | "EXEG-0305-400" | "EXEG-0306-400" | "EXEG-0308-400" => {
            "the edge refuses its identity: check that the identity namespaces exist in the datastream's sandbox, then \
             retry"
        }
        code if code.starts_with("EXEG-01") => {
            "the edge refuses its content: compare the datastream's schema with docs/EVENTS.md; a retry sends the same \
             bytes, so fix the schema first"
        }
        code if code.starts_with("EXEG-0302") => "the edge reports a conflict with another request: retry it",
        code if code.starts_with("http_4") => {
            "it was refused without a reason, perhaps by a proxy: read the answer, then retry"
        }
        _ => {
            "the edge failed on this event alone, more than once, while others were accepted: retry it once the edge works"
        }
    };
    format!("{kind} was refused with {}: {advice}", parked.code)
}
