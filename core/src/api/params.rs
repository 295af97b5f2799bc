//! What a request says, read and checked: query, path and body. Whatever is not understood is a problem that names it.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{page::PageRequest, problem::Problem};
use crate::{
    config::limits,
    model::{ComponentRef, ReferencePoint},
};

/// The query of a request; `T` refuses unknown parameters.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let text = rejection.body_text();
                // axum puts its own sentence before the one that says what is wrong.
                let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail);
                Err(Problem::bad_request("bad-parameter", "Query not understood", detail))
            }
        }
    }
}

/// The query of an endpoint that takes none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// Checks `limit` and joins it with the cursor.
pub(crate) fn page<C>(cursor: Option<C>, limit: Option<usize>) -> Result<PageRequest<C>, Problem> {
    let limit = limit.unwrap_or(limits::API_PAGE);
    if limit == 0 || limit > limits::API_PAGE_MAX {
        let detail = format!("`limit` is 1 to {}, not {limit}", limits::API_PAGE_MAX);
        return Err(Problem::bad_request("bad-parameter", "Query not understood", detail));
    }
    Ok(PageRequest { after: cursor, limit })
}

/// The component that a path names.
pub(crate) fn component(point: &str, id: &str) -> Result<ComponentRef, Problem> {
    let point: ReferencePoint = point.parse().map_err(|error| Problem::not_found(format!("{error}")))?;
    let id = crate::model::ComponentId::new(id).map_err(|error| Problem::not_found(error.to_string()))?;
    Ok(ComponentRef::new(point, id))
}

/// The JSON body of a request; an empty one is `T`'s default.
pub(crate) fn body<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::bad_request("bad-body", "Body not understood", format!("the body is not the JSON expected: {error}"))
    })
}
