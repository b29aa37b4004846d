//! PS3.18 10.1.1, every URL of this door.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, get},
};
use service::http::problem::Problem;
use tower::{Layer as _, ServiceExt as _};
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

use crate::{
    audit::watch,
    capabilities::retrieve_capabilities,
    compressed::compress,
    config::{DicomwebConfig, MOUNT_PATH},
    delete::delete_instances,
    qido_rs::{answer::TOTAL_COUNT, search_instances, search_series, search_studies},
    state::{App, DicomwebState},
    stow_rs::store_instances,
    wado_rs::{
        bulkdata::retrieve_bulkdata,
        frames::retrieve_frames,
        instances::retrieve_instances,
        metadata::retrieve_metadata,
        rendered::{retrieve_rendered_frame, retrieve_rendered_instance},
        rendered_set::retrieve_rendered_set,
        thumbnail::{retrieve_frame_thumbnail, retrieve_thumbnail},
    },
    wado_uri::retrieve_by_uri,
};

/// The door itself, as it is also asked for. A router that is nested has no answer there.
const MOUNT_PATH_AND_SLASH: &str = "/dicomweb/";

/// Paths and handlers. Every handler takes an `Authenticated` first: a test asks each route without a token.
pub(crate) fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/", capabilities()),
        ("/studies", get(search_studies).post(store_instances)),
        ("/series", get(search_series)),
        ("/instances", get(search_instances)),
        ("/studies/{study}", get(retrieve_instances).post(store_instances).delete(delete_instances)),
        ("/studies/{study}/metadata", get(retrieve_metadata)),
        ("/studies/{study}/rendered", get(retrieve_rendered_set)),
        ("/studies/{study}/thumbnail", get(retrieve_thumbnail)),
        ("/studies/{study}/series", get(search_series)),
        ("/studies/{study}/instances", get(search_instances)),
        ("/studies/{study}/series/{series}", get(retrieve_instances).delete(delete_instances)),
        ("/studies/{study}/series/{series}/metadata", get(retrieve_metadata)),
        ("/studies/{study}/series/{series}/rendered", get(retrieve_rendered_set)),
        ("/studies/{study}/series/{series}/thumbnail", get(retrieve_thumbnail)),
        ("/studies/{study}/series/{series}/instances", get(search_instances)),
        (
            "/studies/{study}/series/{series}/instances/{instance}",
            get(retrieve_instances).delete(delete_instances),
        ),
        ("/studies/{study}/series/{series}/instances/{instance}/metadata", get(retrieve_metadata)),
        ("/studies/{study}/series/{series}/instances/{instance}/rendered", get(retrieve_rendered_instance)),
        ("/studies/{study}/series/{series}/instances/{instance}/thumbnail", get(retrieve_thumbnail)),
        ("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", get(retrieve_frames)),
        (
            "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered",
            get(retrieve_rendered_frame),
        ),
        (
            "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail",
            get(retrieve_frame_thumbnail),
        ),
        ("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}", get(retrieve_bulkdata)),
        ("/wado", get(retrieve_by_uri)),
    ]
}

fn capabilities() -> MethodRouter<App> {
    get(retrieve_capabilities).options(retrieve_capabilities)
}

/// Every path below [`crate::MOUNT_PATH`], parameters in braces: for tests that ask each of them who may use it.
pub fn route_paths() -> Vec<&'static str> {
    routes().into_iter().map(|(path, _)| path).collect()
}

/// The door's routes, as they stand below [`crate::MOUNT_PATH`].
pub fn router(state: DicomwebState) -> Router {
    let cors = cors(&state.config);
    within(&App::new(state), cors, routes())
}

/// What is to be mounted, and where.
pub fn mounts(state: DicomwebState) -> [(&'static str, Router); 2] {
    let cors = cors(&state.config);
    let app = App::new(state);
    let door = within(&app, cors.clone(), routes());
    [(MOUNT_PATH, door), (MOUNT_PATH_AND_SLASH, within(&app, cors, vec![("/", capabilities())]))]
}

/// Routes within all that stands around those of this door.
fn within(app: &App, cors: Option<CorsLayer>, routes: Vec<(&'static str, MethodRouter<App>)>) -> Router {
    let router = routes
        .into_iter()
        .fold(Router::new(), |router, (path, handlers)| router.route(path, handlers))
        .route_layer(middleware::from_fn_with_state(app.clone(), watch))
        // Ours before the layers below, or the program's would replace what they made of the default one: a preflight
        // request would be a method that is not allowed.
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED) })
        .with_state(app.clone())
        .layer(middleware::from_fn(compress));
    match cors {
        None => router,
        Some(cors) => {
            let policy = HeaderName::from_static("cross-origin-resource-policy");
            let cross_origin = HeaderValue::from_static("cross-origin");
            router
                .layer(SetResponseHeaderLayer::if_not_present(policy, cross_origin))
                .layer(middleware::from_fn_with_state(cors, across_origins))
        }
    }
}

/// Lets the layer answer what browsers ask before a request to another origin, and add to the answer of such a request. It
/// takes every OPTIONS for that question; without these two fields it is the one for the capabilities (PS3.18 8.9).
async fn across_origins(State(cors): State<CorsLayer>, request: Request, next: Next) -> Response {
    let fields = request.headers();
    let is_preflight =
        fields.contains_key(header::ORIGIN) && fields.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if *request.method() == Method::OPTIONS && !is_preflight {
        return next.run(request).await;
    }
    let Ok(response) = cors.layer(next).oneshot(request).await;
    response
}

/// What web viewers from other origins may do; `None` when there are none.
fn cors(config: &DicomwebConfig) -> Option<CorsLayer> {
    if config.cors_allowed_origins.is_empty() {
        return None;
    }
    let origins = if config.cors_allowed_origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins = config.cors_allowed_origins.iter().map(|origin| origin.trim_end_matches('/'));
        AllowOrigin::list(origins.filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::ACCEPT,
            header::CONTENT_TYPE,
            header::RANGE,
            header::IF_RANGE,
            header::IF_NONE_MATCH,
        ])
        .expose_headers([
            header::CONTENT_TYPE,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::CONTENT_LENGTH,
            header::ACCEPT_RANGES,
            header::ETAG,
            header::RETRY_AFTER,
            header::WARNING,
            TOTAL_COUNT,
        ]);
    Some(layer)
}
