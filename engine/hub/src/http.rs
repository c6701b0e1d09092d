//! Requests. Redirects are followed here, so that the token goes to the hub and to nobody else.

use std::{io::Read, time::Duration};
use ureq::{
    Agent,
    http::HeaderMap,
    tls::{PemItem, RootCerts, TlsConfig},
};

/// An answer; what is sent with it has not been read.
pub(super) struct Reply {
    pub status: u16,
    headers: HeaderMap,
    pub body: Box<dyn Read>,
}

impl Reply {
    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    fn location(&self) -> Option<&str> {
        self.header("location").filter(|_| (300..400).contains(&self.status))
    }
}

/// Asks a hub, and those that it refers to.
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

impl Client {
    pub fn new(endpoint: &str, token: Option<&str>) -> Result<Self, String> {
        Self::open(endpoint, token, None)
    }

    /// Shows no token, and waits no longer than `limit` for an answer.
    pub fn within(endpoint: &str, limit: Duration) -> Result<Self, String> {
        Self::open(endpoint, None, Some(limit))
    }

    fn open(endpoint: &str, token: Option<&str>, limit: Option<Duration>) -> Result<Self, String> {
        let tls = TlsConfig::builder().root_certs(roots()?).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("framework/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity") // hashes and ranges are of the file itself
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .timeout_global(limit)
            .tls_config(tls)
            .build();
        Ok(Self { agent: config.new_agent(), endpoint: endpoint.to_owned(), token: token.map(str::to_owned) })
    }

    /// What the hub itself says of a path: redirects within the hub are followed, those to other hosts returned.
    pub fn head(&self, path: &str) -> Result<Reply, String> {
        self.follow(path, |url, token| request(self.agent.head(url), token, 0), false)
    }

    /// The content of a path, from a byte on, from wherever the hub keeps it.
    pub fn get(&self, path: &str, from: u64) -> Result<Reply, String> {
        self.follow(path, |url, token| request(self.agent.get(url), token, from), true)
    }

    fn follow(
        &self,
        path: &str,
        ask: impl Fn(&str, Option<&str>) -> Result<Reply, String>,
        away: bool,
    ) -> Result<Reply, String> {
        let mut url = format!("{}{path}", self.endpoint);
        for _ in 0..10 {
            let ours = origin(&url) == origin(&self.endpoint);
            let reply = ask(&url, self.token.as_deref().filter(|_| ours))?;
            let Some(next) = reply.location().and_then(|to| target(&url, to)) else { return Ok(reply) };
            if !away && origin(&next) != origin(&url) {
                return Ok(reply);
            }
            if origin(&url).starts_with("https:") && !next.starts_with("https:") {
                return Err("it refers to a host without encryption".into());
            }
            url = next;
        }
        Err("it refers to itself in circles".into())
    }
}

fn request(
    mut request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    token: Option<&str>,
    from: u64,
) -> Result<Reply, String> {
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if from > 0 {
        request = request.header("range", format!("bytes={from}-"));
    }
    // ureq's messages name neither address nor headers: signed addresses and tokens are secrets.
    let (parts, body) = request.call().map_err(|e| e.to_string())?.into_parts();
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body: Box::new(body.into_reader()) })
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |i| i + 3);
    &url[..url[host..].find(['/', '?', '#']).map_or(url.len(), |i| host + i)]
}

/// Where a redirect leads.
fn target(from: &str, to: &str) -> Option<String> {
    if to.starts_with("http://") || to.starts_with("https://") {
        return Some(to.to_owned());
    }
    (to.starts_with('/') && !to.starts_with("//")).then(|| format!("{}{to}", origin(from)))
}

/// Whom to believe: those that `SSL_CERT_FILE` lists, as other programs do, or Mozilla's list.
fn roots() -> Result<RootCerts, String> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) else {
        return Ok(RootCerts::WebPki);
    };
    let failed = |e: String| format!("SSL_CERT_FILE: cannot read {}: {e}", path.display());
    let pem = std::fs::read(&path).map_err(|e| failed(e.to_string()))?;
    let items = ureq::tls::parse_pem(&pem).collect::<Result<Vec<_>, _>>().map_err(|e| failed(e.to_string()))?;
    let certificates = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    Ok(certificates.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        assert_eq!(origin("https://huggingface.co/a/b"), "https://huggingface.co");
        assert_eq!(origin("http://127.0.0.1:80?x"), "http://127.0.0.1:80");
        assert_eq!(target("https://a.b:1/c", "/d").as_deref(), Some("https://a.b:1/d"));
        assert_eq!(target("https://a.b/c", "https://e/f").as_deref(), Some("https://e/f"));
        assert_eq!(target("https://a.b/c", "//e/f"), None);
        assert_eq!(target("https://a.b/c", "file:///etc/passwd"), None);
        assert_ne!(origin("https://huggingface.co.evil.org/"), origin("https://huggingface.co"));
    }
}
