//! `/api/v1/resources`: parts of all components.

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    api::{
        listing::{ListFormat, Listing},
        page::Page,
        params::{self, NoParameters, Parameters},
        problem::Problem,
        router::ApiState,
        views::{ResourceCursor, ResourceDetail, ResourceFilter, ResourceView},
    },
    model::{ComponentRef, ReferencePoint},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of components on this reference point.
    #[param(inline)]
    reference_point: Option<ReferencePoint>,
    /// Of this component.
    #[param(inline)]
    component: Option<ComponentRef>,
    /// Of this name.
    resource: Option<String>,
    /// Of components at this site.
    site: Option<String>,
    /// With alarms that are not cleared (true), or without (false).
    alarmed: Option<bool>,
    /// `next` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ResourceCursor>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Goes before the header `Accept`.
    #[param(inline)]
    format: Option<ListFormat>,
}

/// Lists parts of components: what values, inventory or alarms name beside the component itself.
#[utoipa::path(get, path = "/resources", tag = "components", operation_id = "listResources", params(ListQuery),
    responses((status = 200, description = "A page of resources, in the order of components and names.",
        body = Page<ResourceView>)))]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Parameters(query): Parameters<ListQuery>,
    listing: Listing,
) -> Result<Response, Problem> {
    let ListQuery { reference_point, component, resource, site, alarmed, cursor, limit, format } = query;
    let page = params::page(cursor, limit)?;
    let filter = ResourceFilter { reference_point, component, resource, site, alarmed };
    listing.answer(format, state.backend.resources(&filter, &page))
}

/// Shows a part of a component with its last values and inventory.
#[utoipa::path(get, path = "/resources/{point}/{id}/{resource}", tag = "components", operation_id = "getResource",
    params(params::ComponentPath, ("resource" = String, Path, description = "The part, as reports name it.", min_length = 1, example = "kma-1")),
    responses((status = 200, description = "The resource.", body = ResourceDetail)))]
pub(crate) async fn show(
    State(state): State<ApiState>,
    Path((point, id, resource)): Path<(String, String, String)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<ResourceDetail>, Problem> {
    let component = params::component(&point, &id)?;
    state.backend.resource(&component, &resource).map(Json).ok_or_else(|| {
        Problem::not_found(format!(
            "nothing is known of `{resource}` of `{component}`; GET /api/v1/resources lists what there is"
        ))
    })
}
