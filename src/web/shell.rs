//! The pages around the actions: login, confirmation, result, error.

use askama::Template;

use crate::web::frame::{Frame, Login};
use crate::web::rendered;

/// An action that waits for its confirmation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    pub title: String,
    /// The effect, with its count.
    pub sentence: String,
    /// The first items that are concerned; empty if there is nothing to list.
    pub preview: Vec<String>,
    /// The equivalent command line.
    pub command: String,
    /// Names and values that the form repeats, `confirm` and `next` included.
    pub hidden: Vec<(String, String)>,
    /// Path of the action.
    pub action: String,
    pub button: String,
    /// Path of the link that leaves everything as it is.
    pub back: String,
    /// True if the action cannot be undone.
    pub is_final: bool,
}

/// The outcome of an action whose lines do not fit a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionResult {
    pub title: String,
    pub lines: Vec<String>,
    /// The equivalent command line; empty if there is none.
    pub command: String,
    pub back: String,
    pub failed: bool,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginTemplate<'a> {
    frame: &'a Frame,
    error: Option<&'a str>,
    next: &'a str,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmTemplate<'a> {
    frame: &'a Frame,
    asked: &'a Confirmation,
}

#[derive(Template)]
#[template(path = "result.html")]
struct ResultTemplate<'a> {
    frame: &'a Frame,
    result: &'a ActionResult,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    frame: &'a Frame,
    status: u16,
    title: &'a str,
    text: &'a str,
}

/// Renders the login form. `next` is the path of the page after the login.
pub fn login_page(frame: &Frame, error: Option<&str>, next: &str) -> String {
    rendered(LoginTemplate { frame, error, next })
}

/// Renders the question before an action that is bulk or cannot be undone.
pub fn confirm_page(frame: &Frame, asked: &Confirmation) -> String {
    rendered(ConfirmTemplate { frame, asked })
}

/// Renders the lines of an action's outcome.
pub fn result_page(frame: &Frame, result: &ActionResult) -> String {
    rendered(ResultTemplate { frame, result })
}

/// Renders a refusal or a failure. A 403 for an anonymous viewer also explains the login.
pub fn error_page(frame: &Frame, status: u16, text: &str) -> String {
    let title = match status {
        400 => "The request is not complete",
        403 if !frame.is_operator() => "A login is needed",
        403 => "This is not allowed",
        404 => "There is no such page",
        405 => "This method is not supported",
        413 => "The request is too large",
        429 => "Too many attempts",
        503 => "The page cannot be read now",
        _ => "The page failed",
    };
    rendered(ErrorTemplate {
        frame,
        status,
        title,
        text,
    })
}

impl ErrorTemplate<'_> {
    /// Returns true if a login would show the page.
    fn needs_login(&self) -> bool {
        self.status == 403 && !self.frame.is_operator()
    }

    fn has_password(&self) -> bool {
        self.frame.login != Login::NotSetUp
    }
}

impl LoginTemplate<'_> {
    fn has_password(&self) -> bool {
        self.frame.login != Login::NotSetUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::Notice;
    use crate::web::testing::{HOSTILE, frame, operator};

    #[test]
    fn the_login_page_has_a_form_only_if_a_password_is_set() {
        insta::assert_snapshot!(login_page(
            &frame("/login"),
            Some("The password is wrong."),
            "/failed"
        ));
        let without = Frame {
            login: Login::NotSetUp,
            ..frame("/login")
        };
        let page = login_page(&without, None, "/");
        assert!(page.contains("orderfeed admin set-password") && !page.contains("type=\"password\""));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_confirmation_repeats_every_field() {
        let asked = Confirmation {
            title: "Discard 2 events".to_owned(),
            sentence: "They are never sent.".to_owned(),
            preview: vec![HOSTILE.to_owned()],
            command: "orderfeed failed discard --all".to_owned(),
            hidden: vec![("code".to_owned(), HOSTILE.to_owned())],
            action: "/actions/failed-discard".to_owned(),
            button: "Discard".to_owned(),
            back: "/failed".to_owned(),
            is_final: true,
        };
        let page = confirm_page(&operator("/actions/failed-discard"), &asked);
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_result_and_a_notice_are_announced() {
        let mut frame = operator("/connector");
        frame.notice = Some(Notice {
            text: "1 event sent again".to_owned(),
            failed: false,
        });
        let result = ActionResult {
            title: "Test connection".to_owned(),
            lines: vec!["The edge accepted a test event.".to_owned()],
            back: "/connector".to_owned(),
            ..ActionResult::default()
        };
        insta::assert_snapshot!(result_page(&frame, &result));
    }

    #[test]
    fn an_action_that_failed_is_marked() {
        let result = ActionResult {
            title: "The settings were not saved".to_owned(),
            lines: vec!["websites.base.datastream_id: is no UUID".to_owned()],
            command: "orderfeed config check".to_owned(),
            back: "/connector".to_owned(),
            failed: true,
        };
        insta::assert_snapshot!(result_page(&operator("/connector"), &result));
    }

    #[test]
    fn a_refusal_leads_to_the_login() {
        let page = error_page(&frame("/orders/1?x=y"), 403, "Order pages need a login.");
        assert!(
            page.contains("href=\"/login?next=%2Forders%2F1%3Fx%3Dy\""),
            "{page}"
        );
        assert!(!error_page(&operator("/orders/1"), 403, "No.").contains("/login?"));
        insta::assert_snapshot!(page);
    }
}
