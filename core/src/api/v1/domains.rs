//! Views over several domains: `/api/v1/domain-comparisons`, `/api/v1/domain-path`, `/api/v1/domain-alarms`

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::Listing,
        page::Page,
        params::{FormatOnly, Parameters},
        problem::Problem,
        router::ApiState,
        views::{DomainAlarmView, DomainComparisonView, DomainPathView},
    },
    config::reader::resembling,
};

/// Lists what this domain and others tell of the same key relations, services and settlements, side by side.
#[utoipa::path(get, path = "/domain-comparisons", tag = "federation", operation_id = "listDomainComparisons", params(FormatOnly),
    responses((status = 200, description = "All of them, with what both sides say differently.", body = Page<DomainComparisonView>)))]
pub(crate) async fn comparisons(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.federation().comparisons()))
}

/// From where to where.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathQuery {
    /// The domain where it begins.
    #[param(inline, min_length = 1, example = "east")]
    from: String,
    /// The domain where it ends.
    #[param(inline, min_length = 1, example = "west")]
    to: String,
}

/// Shows the best path from one domain to another over the links that domains disclose, and what is left if a link fails.
#[utoipa::path(get, path = "/domain-path", tag = "federation", operation_id = "getDomainPath", params(PathQuery),
    responses((status = 200, description = "The path, and what is not disclosed.", body = DomainPathView),
        (status = 404, description = "There is no such domain, or it is the same one twice.")))]
pub(crate) async fn path(
    State(state): State<ApiState>,
    Parameters(PathQuery { from, to }): Parameters<PathQuery>,
) -> Result<Json<DomainPathView>, Problem> {
    if from == to {
        return Err(Problem::not_found(format!(
            "`from` and `to` are both `{from}`: there is no path between one domain"
        )));
    }
    let federation = state.backend.federation();
    federation.path(&from, &to).map(Json).map_err(|unknown| {
        let domains = federation.domains();
        let names: Vec<&str> = domains.iter().map(|one| one.domain.as_str()).collect();
        let near = resembling(&unknown, &names).map_or(";".to_owned(), |near| format!(", did you mean `{near}`?"));
        Problem::not_found(format!("there is no domain `{unknown}`{near} GET /api/v1/domains lists them"))
    })
}

/// Lists links between domains that are down or degraded: one entry a link, whoever says so, the worst first.
#[utoipa::path(get, path = "/domain-alarms", tag = "federation", operation_id = "listDomainAlarms", params(FormatOnly),
    responses((status = 200, description = "All links in trouble.", body = Page<DomainAlarmView>)))]
pub(crate) async fn alarms(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.federation().alarms()))
}
