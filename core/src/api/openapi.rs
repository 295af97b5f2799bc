//! The description of the API as an OpenAPI 3.1 document, made from the endpoints themselves: paths, parameters and
//! answers stand as attributes beside the code that serves them. What holds for all of them is added here: problem
//! documents, roles, CSV. Served at `/api/v1/openapi.json`; checked in as `core/openapi.json`.

use std::sync::OnceLock;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr,
        ResponseBuilder, ServerBuilder,
        path::Operation,
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::router;

/// Name of the security scheme.
const TOKEN: &str = "token";
/// Where the document is served.
pub(crate) const PATH: &str = "/api/v1/openapi.json";

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// For programs: `urn:qkdn:problem:` and a short name such as `not-found`.
    #[schema(pattern = "^urn:qkdn:problem:[a-z-]+$")]
    r#type: String,
    /// What kind of problem it is, for people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong here, and what to try.
    detail: String,
}

const ABOUT: &str = "\
What the manager of a QKD network knows and does, as JSON over HTTP.

- **Roles.** `viewer` reads, `operator` also acts on alarms, subscriptions and components, `admin` may do everything. A token \
of `api.tokens` has one of them; it is sent as `Authorization: Bearer TOKEN`. Which role an operation needs stands in its \
`security`. Where the API listens on a loopback address, reading needs no token unless `api.read_without_token` says so.
- **Lists** come in pages: `limit` items, then `next`, which is sent back as `cursor`; the header `Link` has the next page's \
address. Lists are CSV for whoever sends `Accept: text/csv` or `format=csv`.
- **Errors** are problem documents (RFC 9457). Unknown parameters are errors.
- **Compatibility.** Members and parameters are added, never renamed or removed; readers have to pass over what they do not know.";

/// The document.
#[must_use]
pub fn document() -> &'static OpenApi {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(|| finish(router::endpoints().into_openapi()))
}

/// The document as it is checked in and served.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(document()).unwrap_or_default();
    text.push('\n');
    text
}

/// Describes this API as an OpenAPI 3.1 document.
#[utoipa::path(get, path = "/openapi.json", tag = "manager", operation_id = "getOpenApi", security(()),
    responses((status = 200, description = "This document.", body = Object)))]
pub(crate) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text()).into_response()
}

/// What the document begins with.
pub(crate) fn start() -> OpenApi {
    let tag = |(name, description): (&str, &str)| TagBuilder::new().name(name).description(Some(description)).build();
    let tags = [
        ("components", "What is managed, and its parts."),
        ("alarms", "What is wrong, and what operators say of it (RFC 8632, X.733)."),
        ("values", "What values are and were."),
        ("reports", "What components said."),
        ("network", "Inventory and topology, with every change."),
        ("usage", "Consumed and supplied keys."),
        ("subscriptions", "Who subscribed to what at the manager."),
        ("federation", "Managers of other domains, and what is known of these."),
        ("collectors", "Plugins that ask devices which do not report by themselves."),
        ("exporters", "Where alarms are sent to, and whether they arrive."),
        ("configuration", "Whether the files are in force, and putting them in force."),
        ("plugins", "Handlers, policies and the plugins behind them."),
        ("manager", "The manager itself."),
        ("events", "What changes, as it changes."),
        ("probes", "For Prometheus and supervisors."),
    ];
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("QKDN manager")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of `api.tokens`."));
    let components = ComponentsBuilder::new()
        .schema("Problem", <ProblemDocument as utoipa::PartialSchema>::schema())
        .security_scheme(TOKEN, SecurityScheme::Http(scheme.build()));
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .tags(Some(tags.map(tag)))
        .components(Some(components.build()))
        .build()
}

fn finish(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            complete(path, operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// Adds what every operation has: its role, the problems that it can answer, and the other forms of its answer.
fn complete(path: &str, operation: &mut Operation) {
    let open = operation.security.as_ref().is_some_and(|needs| *needs == [SecurityRequirement::default()]);
    let writes = operation.security.is_some() && !open;
    if operation.security.is_none() {
        let viewer = SecurityRequirement::new(TOKEN, ["viewer"]);
        operation.security = Some(vec![SecurityRequirement::default(), viewer]);
    }
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let in_path = path.contains('{');
    let lists =
        parameters.iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "format"));
    if lists && let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        answer.content.insert("text/csv".to_owned(), Content::new(Some(text)).into());
    }
    let own = path.starts_with("/api/v1");
    let common: [(&str, bool, &str); 8] = [
        ("400", own, "A parameter or the body is not understood."),
        ("401", !open, "A token is needed, is not known, or has expired."),
        ("403", !open, "The token's role is not enough."),
        ("404", in_path, "There is no such thing."),
        ("413", writes && operation.request_body.is_some(), "The body is too large."),
        ("421", true, "The request names another host than this machine, where the API is for this machine only."),
        ("431", true, "Target and headers are too large."),
        ("503", true, "Not possible now; where known, `Retry-After` says when to try again."),
    ];
    for (status, applies, description) in common {
        if applies && !operation.responses.responses.contains_key(status) {
            let answer = ResponseBuilder::new().description(description).build();
            operation.responses.responses.insert(status.to_owned(), RefOr::T(answer));
        }
    }
    for (status, answer) in &mut operation.responses.responses {
        if let RefOr::T(answer) = answer
            && !status.starts_with('2')
        {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            answer.content.insert("application/problem+json".to_owned(), problem.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::csv;
    use serde_json::Value;

    fn json() -> Value {
        serde_json::to_value(document()).unwrap()
    }

    #[test]
    fn the_document_that_is_checked_in_is_in_step() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        assert!(checked_in == text(), "core/openapi.json is not what the code says: run `cargo xtask openapi`");
    }

    #[test]
    fn every_operation_says_its_role_its_problems_and_its_name() {
        let json = json();
        assert_eq!(json["openapi"], "3.1.0");
        let mut names = std::collections::BTreeSet::new();
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let place = format!("{method} {path}");
                assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{place}");
                assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}");
                assert!(operation["responses"]["200"]["content"].is_object(), "{place}");
                let problem = &operation["responses"]["503"]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{place}");
                let role = if path.ends_with("/approve")
                    || path.ends_with("/reject")
                    || place.starts_with("post /api/v1/configuration")
                    || place.starts_with("post /api/v1/plugins/")
                {
                    "admin"
                } else if method == "post" || path.ends_with("/audit") || path.ends_with("/configuration") {
                    "operator"
                } else {
                    "viewer"
                };
                let needed = serde_json::json!([{ "token": [role] }]);
                assert!(role == "viewer" || operation["security"] == needed, "{place}: {}", operation["security"]);
                let higher = ["operator", "admin"].map(|role| serde_json::json!([{ "token": [role] }]));
                assert!(role != "viewer" || !higher.contains(&operation["security"]), "{place}");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].is_string(), "{place}: {}", parameter["name"]);
                }
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let json = json();
        let mut waiting = vec![&json];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        assert!(json.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                    }
                    waiting.extend(members.values());
                }
                Value::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
    }

    /// Whether a schema has a member at this path; free JSON has whatever one asks for.
    fn has(root: &Value, schema: &Value, path: &str) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            return has(root, root.pointer(reference.trim_start_matches('#')).unwrap(), path);
        }
        let any = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
        if any.into_iter().any(|part| has(root, part, path)) {
            return true;
        }
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let member = &schema["properties"][first];
        match rest {
            _ if schema["type"] == "object" && schema["properties"].is_null() => true,
            Some(rest) => has(root, member, rest),
            None => member.is_object(),
        }
    }

    #[test]
    fn columns_of_csv_are_members_of_the_json_form() {
        let json = json();
        for (name, columns) in csv::ALL {
            let schema = &json["components"]["schemas"][name];
            assert!(schema.is_object(), "{name}");
            for column in *columns {
                assert!(has(&json, schema, column), "{name} has no `{column}`");
            }
        }
    }
}
