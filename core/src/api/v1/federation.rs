//! `/api/v1/peers` and `/api/v1/domains`

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};

use crate::api::{
    listing::Listing,
    page::Page,
    params::{FormatOnly, NoParameters, Parameters},
    problem::Problem,
    router::ApiState,
    views::{DisclosureView, DomainLinkView, DomainView, GraphView, PeerView, PreviewView},
};

/// Disclosures shown at most.
const MOST_DISCLOSURES: u32 = 1_000;

fn unknown_peer(id: &str) -> Problem {
    Problem::not_found(format!("there is no peer `{id}`; GET /api/v1/peers lists them"))
}

/// Lists the configured peers, by domain.
#[utoipa::path(get, path = "/peers", tag = "federation", operation_id = "listPeers", params(FormatOnly),
    responses((status = 200, description = "All peers.", body = Page<PeerView>)))]
pub(crate) async fn peers(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.federation().peers()))
}

/// Shows one peer.
#[utoipa::path(get, path = "/peers/{id}", tag = "federation", operation_id = "getPeer",
    params(("id" = String, Path, description = "Its manager ID.", min_length = 1, example = "manager-west")),
    responses((status = 200, description = "The peer.", body = PeerView)))]
pub(crate) async fn peer(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<PeerView>, Problem> {
    let peers = state.backend.federation().peers();
    peers.into_iter().find(|peer| peer.id == id).map(Json).ok_or_else(|| unknown_peer(&id))
}

/// Shows exactly what a peer is told now.
#[utoipa::path(get, path = "/peers/{id}/preview", tag = "federation", operation_id = "previewPeer",
    params(("id" = String, Path, description = "Its manager ID.", min_length = 1, example = "manager-west")),
    responses((status = 200, description = "What it is told.", body = PreviewView)))]
pub(crate) async fn preview(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<PreviewView>, Problem> {
    state.backend.federation().preview(&id).map(Json).ok_or_else(|| unknown_peer(&id))
}

/// Lists what a peer was told, newest first; the last thousand.
#[utoipa::path(get, path = "/peers/{id}/disclosures", tag = "federation", operation_id = "listDisclosures",
    params(("id" = String, Path, description = "Its manager ID.", min_length = 1, example = "manager-west"), FormatOnly),
    responses((status = 200, description = "What it was told.", body = Page<DisclosureView>)))]
pub(crate) async fn disclosures(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    let backend = std::sync::Arc::clone(&state.backend);
    let peer = id.clone();
    // Reads a database.
    let read = tokio::task::spawn_blocking(move || backend.federation().disclosures(&peer, MOST_DISCLOSURES)).await;
    let broken = |_| Problem::unavailable("reading what was disclosed broke off".to_owned());
    let told = read.map_err(broken)?.ok_or_else(|| unknown_peer(&id))?.map_err(Problem::unavailable)?;
    listing.answer(query.format, Page::whole(told))
}

/// Lists what is known of all domains, the own one too.
#[utoipa::path(get, path = "/domains", tag = "federation", operation_id = "listDomains", params(FormatOnly),
    responses((status = 200, description = "All domains.", body = Page<DomainView>)))]
pub(crate) async fn domains(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.federation().domains()))
}

/// Lists links to other domains, each from both ends, with what these say differently.
#[utoipa::path(get, path = "/domain-links", tag = "federation", operation_id = "listDomainLinks", params(FormatOnly),
    responses((status = 200, description = "All links to other domains.", body = Page<DomainLinkView>)))]
pub(crate) async fn links(
    State(state): State<ApiState>,
    Parameters(query): Parameters<FormatOnly>,
    listing: Listing,
) -> Result<Response, Problem> {
    listing.answer(query.format, Page::whole(state.backend.federation().links()))
}

/// Shows how domains are connected, as far as it is known here, and whose loss would cut others off.
#[utoipa::path(get, path = "/domain-graph", tag = "federation", operation_id = "getDomainGraph",
    responses((status = 200, description = "Connections and bottlenecks.", body = GraphView)))]
pub(crate) async fn graph(
    State(state): State<ApiState>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Json<GraphView> {
    Json(state.backend.federation().graph())
}

/// Shows what is known of one domain.
#[utoipa::path(get, path = "/domains/{domain}", tag = "federation", operation_id = "getDomain",
    params(("domain" = String, Path, description = "Its name.", min_length = 1, example = "west")),
    responses((status = 200, description = "The domain.", body = DomainView)))]
pub(crate) async fn domain(
    State(state): State<ApiState>,
    Path(domain): Path<String>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Json<DomainView>, Problem> {
    let domains = state.backend.federation().domains();
    let unknown = || Problem::not_found(format!("there is no domain `{domain}`; GET /api/v1/domains lists them"));
    domains.into_iter().find(|one| one.domain == domain).map(Json).ok_or_else(unknown)
}
