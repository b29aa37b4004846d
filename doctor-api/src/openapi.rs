//! What the OpenAPI document says beyond the single operations: the token, the errors that any operation can give.

use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Components, ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder, Schema,
        path::{Operation, PathItem},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

/// Method and path of the operations that need no token.
pub const PUBLIC_OPERATIONS: &[(&str, &str)] = &[
    ("POST", "/sessions"),
    ("POST", "/sessions/refresh"),
    ("POST", "/oauth2/token"),
    ("POST", "/shares/redeem"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/prescriptions/{id}/verify"),
    ("GET", "/reports/{id}/verify"),
    ("GET", "/rooms/{id}"),
];

/// Name of the security scheme.
const BEARER: &str = "bearer";

/// The document that the operations are added to.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "MaxRay doctor API",
        description = "Doctors, consultations and their X-rays. Errors are RFC 9457 problem details; what is not there \
                       and what is not yours give the same 404. Each operation's security requirement names the right \
                       that it needs.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, ProblemField)),
    modifiers(&BearerScheme),
    tags(
        (name = "sessions", description = "Sign in, go on, sign out"),
        (name = "users", description = "Accounts of people and programs"),
        (name = "doctors", description = "Profiles"),
        (name = "availability", description = "When doctors see patients, and what is free"),
        (name = "consultations", description = "Meetings of a doctor and a patient, and the studies linked to them"),
        (name = "prescriptions", description = "Medicines, ordered and signed"),
        (name = "reports", description = "What doctors saw in studies, written and signed"),
        (name = "xrays", description = "Instances: metadata, previews, download"),
        (name = "patients", description = "What belongs to a patient"),
        (name = "worklist", description = "What is scheduled for modalities"),
        (name = "shares", description = "Links that open one study"),
        (name = "break-glass", description = "Emergency accesses and their review"),
        (name = "aes", description = "Machines that may send over DICOM"),
        (name = "forwarding", description = "What is sent on to other archives by itself"),
        (name = "grants", description = "What administrators let accounts read"),
        (name = "audit", description = "Who did what"),
        (name = "events", description = "What happens, as it happens"),
        (name = "webhooks", description = "Where events are sent over HTTP, signed")
    )
)]
pub struct BaseDocument;

/// An error answer (RFC 9457).
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// Kind: `about:blank` or `urn:maxray:problem:...`.
    #[serde(rename = "type")]
    kind: String,
    /// Short name of the kind.
    title: String,
    /// HTTP status code.
    status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Fields that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<ProblemField>,
    /// Id of the request, as in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// A refused field.
#[derive(Serialize, ToSchema)]
pub struct ProblemField {
    /// Path of the field, as in `specialties[0]`.
    field: String,
    /// What is wrong.
    message: String,
}

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut Document) {
        let mut http = Http::new(HttpAuthScheme::Bearer);
        http.bearer_format = Some("JWT".into());
        http.description = Some("an access token of POST /sessions".into());
        document
            .components
            .get_or_insert_with(Components::new)
            .add_security_scheme(BEARER, SecurityScheme::Http(http));
    }
}

/// Adds the error answers that follow from what an operation takes.
pub fn add_problems(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        for operation in operations_mut(item) {
            add_problems_to(operation);
        }
    }
}

fn add_problems_to(operation: &mut Operation) {
    use utoipa::openapi::path::ParameterIn;
    let has = |place: &ParameterIn| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == *place,
            RefOr::Ref(_) => false,
        })
    };
    let (in_path, in_query) = (has(&ParameterIn::Path), has(&ParameterIn::Query));
    let body = operation.request_body.is_some();
    let mut add = |status: &str, description: &str| {
        operation.responses.responses.entry(status.into()).or_insert_with(|| problem_response(description));
    };
    if operation.security.is_some() {
        add("401", "No token, or one that is not valid (any longer)");
        add("403", "The account's role may never do this");
        add("429", "Too many requests of this sign-in at once: try again after Retry-After seconds");
    }
    if in_path {
        add("404", "Not there, or not yours");
    }
    if in_query {
        add("400", "A query parameter is unknown or malformed");
    }
    if body {
        add("400", "The body is not JSON");
        add("413", "The body is too large");
        add("415", "The body's media type is not application/json");
        add("422", "Fields are unknown, missing or not acceptable");
    }
    add("500", "Something went wrong inside; the log has the reason under the request id");
    add("503", "Overloaded or starting: try again after Retry-After seconds");
}

/// A schema that others are built upon allows what they add: what a request may hold ends with the request.
///
/// `AeRegistration` is refused with fields that it does not know; `Ae`, which is an answer, has it and more.
pub fn open_what_is_built_upon(document: &mut Document) {
    let Some(components) = &mut document.components else { return };
    let closed: Vec<(String, Schema)> = components
        .schemas
        .iter()
        .filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::Object(object)) if object.additional_properties.is_some() => {
                let mut open = object.clone();
                open.additional_properties = None;
                Some((format!("#/components/schemas/{name}"), Schema::Object(open)))
            }
            _ => None,
        })
        .collect();
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::AllOf(all)) = schema else { continue };
        for part in &mut all.items {
            let RefOr::Ref(reference) = part else { continue };
            if let Some((_, open)) = closed.iter().find(|(name, _)| *name == reference.ref_location) {
                *part = RefOr::T(open.clone());
            }
        }
    }
}

fn problem_response(description: &str) -> RefOr<utoipa::openapi::Response> {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
        .into()
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// Method, path and operation of everything in the document.
pub fn operations(document: &Document) -> Vec<(&'static str, &str, &Operation)> {
    let mut all = Vec::new();
    for (path, item) in &document.paths.paths {
        let methods = [
            ("GET", &item.get),
            ("PUT", &item.put),
            ("POST", &item.post),
            ("DELETE", &item.delete),
            ("PATCH", &item.patch),
        ];
        for (method, operation) in methods {
            all.extend(operation.iter().map(|operation| (method, path.as_str(), operation)));
        }
    }
    all
}
