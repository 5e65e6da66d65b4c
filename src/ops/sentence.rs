//! An error as one sentence.

/// An error with its causes, each told once: an outer message often already quotes its cause.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let said = cause.to_string();
        if text.contains(&said) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&said);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_cause_is_told_once() {
        let error =
            anyhow::Error::from(StoreError::Closed).context("the store is closed, so nothing was done");
        assert_eq!(sentence(&error), "the store is closed, so nothing was done");
        let error = anyhow::Error::from(StoreError::Closed).context("nothing was done");
        assert_eq!(sentence(&error), "nothing was done: the store is closed");
    }
}
