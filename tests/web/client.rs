//! A small HTTP client that behaves like a browser, or like a program, at the admin endpoint.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Endpoint {
    /// Returns the address of a page.
    pub fn url(&self, path: &str) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}{path}"),
            Self::Unix(path) => panic!("{} has no address", path.display()),
        }
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A client with the headers that it adds to each request.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    host: String,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Asserts a redirect, and returns its target.
    #[track_caller]
    pub fn target(&self) -> &str {
        assert_eq!(self.status, 303, "{self:?}");
        self.header("location").unwrap()
    }

    /// Returns the values of the hidden fields of the page, as a browser would send them.
    pub fn hidden(&self) -> Vec<(String, String)> {
        let inputs = self.body.split("<input type=\"hidden\" name=\"").skip(1);
        let pair = |input: &str| {
            let (name, rest) = input.split_once("\" value=\"")?;
            let (value, _) = rest.split_once('"')?;
            Some((unescaped(name), unescaped(value)))
        };
        inputs.filter_map(pair).collect()
    }
}

fn unescaped(text: &str) -> String {
    [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

impl Client {
    /// Returns a browser that shows pages of this endpoint itself.
    pub fn browser(endpoint: &Endpoint) -> Self {
        Self::program(endpoint).with("Sec-Fetch-Site", "same-origin")
    }

    /// Returns a program that sends no headers of a browser.
    pub fn program(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            host: "localhost:9187".to_owned(),
            headers: Vec::new(),
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn at_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).unwrap()
    }

    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send("POST", path, Some(&body)).unwrap()
    }

    /// Sends the form of a confirmation.
    pub fn confirm(&self, path: &str, question: &Answer) -> Answer {
        let hidden = question.hidden();
        let fields: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.post(path, &fields)
    }

    /// Logs in and returns the client with the session's cookie.
    #[track_caller]
    pub fn logged_in(self, password: &str) -> Self {
        let answer = self.post("/login", &[("password", password), ("next", "/about")]);
        assert_eq!(answer.target(), "/about");
        let cookie = answer.header("set-cookie").unwrap();
        let pair = cookie.split(';').next().unwrap().to_owned();
        self.with("Cookie", &pair)
    }

    /// Sends a request and returns the answer; `None` if there is none in time.
    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> Option<Answer> {
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.host
        );
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if let Some(body) = body {
            let _ = write!(
                text,
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        text.push_str("\r\n");
        text.push_str(body.unwrap_or_default());
        self.exchange(&text)
    }

    /// Sends bytes and reads to the end of the connection.
    pub fn exchange(&self, text: &str) -> Option<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(text.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let answer = String::from_utf8_lossy(&bytes);
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some(Answer {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    fn connect(&self) -> Option<Box<dyn Stream>> {
        Some(match &self.endpoint {
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).ok()?;
                stream.set_read_timeout(Some(LIMIT)).ok()?;
                Box::new(stream)
            }
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).ok()?;
                stream.set_read_timeout(Some(LIMIT)).ok()?;
                Box::new(stream)
            }
        })
    }
}
