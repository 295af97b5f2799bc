//! The dashboard, embedded: files of `core/ui/dist` under `/ui/`, as they were built from `core/ui`.
//!
//! They ask nothing of any other place than this API (the policy in [`POLICY`] would not let them), change nothing, and know
//! no more than it shows.

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::Problem;

#[derive(Embed)]
#[folder = "ui/dist"]
struct Files;

/// What the pages may load and do: their own scripts, styles and pictures, and this API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where a browser is sent that knows only the address.
pub(crate) async fn root() -> Redirect {
    Redirect::temporary("/ui/")
}

/// The page.
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    serve("index.html", &headers)
}

/// A file that the page asks for.
pub(crate) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    serve(&path, &headers)
}

fn serve(path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let missing = || Problem::not_found(format!("the dashboard has no file `{path}`; it begins at /ui/"));
    let kind = kind(path).ok_or_else(missing)?;
    let EmbeddedFile { data, metadata } = Files::get(path).ok_or_else(missing)?;
    let tag = metadata.sha256_hash().iter().take(16).fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}"));
    let tag = format!("{tag}\"");
    // Names of assets change with their content.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(tag.as_str());
    let body = if known { Body::empty() } else { Body::from(data) };
    let mut response = (if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, body).into_response();
    let all = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, caching),
        (header::ETAG, tag.as_str()),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in all {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Media type by the end of a name; nothing else is served.
fn kind(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page names is there, and nothing it needs lies elsewhere.
    #[test]
    fn the_page_finds_all_that_it_names() {
        let page = Files::get("index.html").unwrap();
        let page = std::str::from_utf8(&page.data).unwrap();
        let named = page.split(['"', '\'']).filter_map(|word| word.strip_prefix("./"));
        assert!(named.clone().count() >= 3, "{page}");
        for name in named {
            assert!(Files::get(name).is_some() && kind(name).is_some(), "{name}");
        }
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<style"), "{page}");
    }

    #[test]
    fn only_files_of_the_dashboard_are_served() {
        for path in ["", "../Cargo.toml", "sizes.json", "assets/", "assets/none.js"] {
            assert!(serve(path, &HeaderMap::new()).is_err(), "{path}");
        }
        let first = serve("index.html", &HeaderMap::new()).unwrap();
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers().get(header::ETAG).unwrap().clone());
        assert_eq!(serve("index.html", &again).unwrap().status(), StatusCode::NOT_MODIFIED);
    }
}
