//! What a request says, read and checked: query, path and body. Whatever is not understood is a problem that names it.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, SchemaFormat,
        schema::{OneOfBuilder, Schema, Type},
    },
};

use super::{listing::ListFormat, page::PageRequest, problem::Problem};
use crate::{
    config::{limits, quantity},
    model::{ComponentRef, ReferencePoint, Timestamp},
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

/// The query of a list that comes whole.
#[derive(serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FormatOnly {
    /// Goes before the header `Accept`.
    #[param(inline)]
    pub(crate) format: Option<ListFormat>,
}

/// The part of a path that names a component; for the description of the API.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "paths are read as texts, so that a mistake is told in our words")]
pub(crate) struct ComponentPath {
    /// Its reference point.
    #[param(inline, example = "mk")]
    point: ReferencePoint,
    /// Its component ID.
    #[param(min_length = 1, max_length = 256, example = "km-1")]
    id: String,
}

/// A query that is not understood.
pub(crate) fn bad(detail: impl Into<String>) -> Problem {
    Problem::bad_request("bad-parameter", "Query not understood", detail)
}

/// A time, or how long ago: `2026-11-26T08:00:00Z`, `-6h`.
pub(crate) fn time(key: &str, text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let ago = text.strip_prefix('-').and_then(|span| quantity::duration(span).ok());
    let ago = ago.and_then(|ago| i64::try_from(ago.as_millis()).ok()).map(|ago| now.plus(-ago));
    ago.or_else(|| Timestamp::parse(text))
        .ok_or_else(|| bad(format!("`{key}` is no time such as 2026-11-26T08:00:00Z, and no span ago such as -6h")))
}

/// What [`time`] reads, in the description of the API.
pub(crate) struct TimeText;

impl ToSchema for TimeText {}

impl PartialSchema for TimeText {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let date_time = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        OneOfBuilder::new()
            .item(text().format(Some(date_time)).examples(["2026-11-26T08:00:00Z"]))
            .item(text().pattern(Some("^-[1-9][0-9]{0,3}(s|m|h|d)$")).examples(["-6h"]))
            .into()
    }
}

/// A number from 0 to 2^63 - 1, so that every client can hold it.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = u64::deserialize(deserializer)?;
    let most = i64::MAX.unsigned_abs();
    if number > most {
        return Err(serde::de::Error::custom(format!("{number} is more than {most}")));
    }
    Ok(Some(number))
}

/// What [`number`] reads, in the description of the API.
pub(crate) struct Number;

impl ToSchema for Number {}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        number.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64))).minimum(Some(0)).build().into()
    }
}

/// A component that the manager does not know.
pub(crate) fn unknown_component(component: &ComponentRef) -> Problem {
    Problem::not_found(format!(
        "the manager knows no component `{component}`; GET /api/v1/components lists those that are known"
    ))
}

/// Checks `limit` and joins it with the cursor.
pub(crate) fn page<C>(cursor: Option<C>, limit: Option<usize>) -> Result<PageRequest<C>, Problem> {
    let limit = limit.unwrap_or(limits::API_PAGE);
    if limit == 0 || limit > limits::API_PAGE_MAX {
        let detail = format!("`limit` is 1 to {}, not {limit}", limits::API_PAGE_MAX);
        return Err(bad(detail));
    }
    Ok(PageRequest { after: cursor, limit })
}

/// The component that a path names.
pub(crate) fn component(point: &str, id: &str) -> Result<ComponentRef, Problem> {
    let point: ReferencePoint = point.parse().map_err(|error| Problem::not_found(format!("{error}")))?;
    let id = crate::model::ComponentId::new(id).map_err(|error| Problem::not_found(error.to_string()))?;
    Ok(ComponentRef::new(point, id))
}

/// The JSON body of a request; an empty one, or `null`, is `T`'s default.
pub(crate) fn body<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice::<Option<T>>(bytes).map(Option::unwrap_or_default).map_err(|error| {
        Problem::bad_request("bad-body", "Body not understood", format!("the body is not the JSON expected: {error}"))
    })
}
