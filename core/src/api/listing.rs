//! How a list is answered: as JSON, or as CSV for whoever asks for it with `?format=csv` or `Accept: text/csv`. Either
//! way the header `Link` (RFC 8288) says where the next page is.

use std::convert::Infallible;

use axum::{
    Json,
    extract::{FromRequestParts, OriginalUri},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    csv::{self, Tabular},
    page::Page,
    problem::Problem,
};

/// The form of a list. Goes before the header `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListFormat {
    /// `application/json`
    Json,
    /// `text/csv`
    Csv,
}

/// What a request says about the form of its answer.
pub(crate) struct Listing {
    accepts_csv: bool,
    uri: Uri,
}

impl<S: Send + Sync> FromRequestParts<S> for Listing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accepted = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        Ok(Self { accepts_csv: prefers_csv(accepted), uri })
    }
}

/// Whether CSV stands in an `Accept` header before JSON and before anything that JSON would do for.
fn prefers_csv(accept: &str) -> bool {
    let quality = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let q = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
        (name, q)
    };
    let ranges: Vec<(String, f32)> = accept.split(',').map(quality).collect();
    let best = |names: &[&str]| {
        let named = ranges.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, q)| *q);
        named.fold(0.0, f32::max)
    };
    let csv = best(&["text/csv"]);
    csv > 0.0 && csv > best(&["application/json", "application/*", "*/*"])
}

impl Listing {
    /// The answer with a page of a list.
    pub(crate) fn answer<T: Tabular>(&self, format: Option<ListFormat>, page: Page<T>) -> Result<Response, Problem> {
        let next = page.next.as_deref().and_then(|cursor| self.next_page(cursor));
        let mut response = match self.wanted(format) {
            ListFormat::Json => Json(page).into_response(),
            ListFormat::Csv => table(&page.items)?,
        };
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.extend(next.map(|next| (header::LINK, next)));
        Ok(response)
    }

    /// The answer with rows that are part of a document: the document, or the rows as CSV.
    pub(crate) fn rows<T: Tabular, D: serde::Serialize>(
        &self,
        format: Option<ListFormat>,
        document: D,
        rows: impl FnOnce(D) -> Vec<T>,
    ) -> Result<Response, Problem> {
        let mut response = match self.wanted(format) {
            ListFormat::Json => Json(document).into_response(),
            ListFormat::Csv => table(&rows(document))?,
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        Ok(response)
    }

    fn wanted(&self, format: Option<ListFormat>) -> ListFormat {
        format.unwrap_or(if self.accepts_csv { ListFormat::Csv } else { ListFormat::Json })
    }

    /// `<...>; rel="next"` of the same request with another cursor.
    fn next_page(&self, cursor: &str) -> Option<HeaderValue> {
        let pairs = form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs.filter(|(name, _)| name != "cursor")).append_pair("cursor", cursor);
        HeaderValue::try_from(format!("<{}?{}>; rel=\"next\"", self.uri.path(), query.finish())).ok()
    }
}

fn table<T: Tabular>(items: &[T]) -> Result<Response, Problem> {
    let text = csv::table(items).map_err(|error| {
        let detail = format!("the list could not be written as CSV: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Fault of the manager", detail)
    })?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_for_those_who_prefer_it() {
        for accept in ["text/csv", "text/csv, application/json;q=0.5", "TEXT/CSV;q=0.9, */*;q=0.1"] {
            assert!(prefers_csv(accept), "{accept}");
        }
        for accept in
            ["", "*/*", "application/json", "text/csv, application/json", "text/csv;q=0.2, */*", "text/csv;q=0"]
        {
            assert!(!prefers_csv(accept), "{accept}");
        }
    }

    #[test]
    fn the_next_page_is_the_same_request_with_another_cursor() {
        let uri = Uri::from_static("/api/v1/components?tag=a%20b&cursor=mk%2Fa&limit=2");
        let link = Listing { accepts_csv: false, uri }.next_page("mk/ü,").unwrap();
        assert_eq!(link, "</api/v1/components?tag=a+b&limit=2&cursor=mk%2F%C3%BC%2C>; rel=\"next\"");
    }
}
