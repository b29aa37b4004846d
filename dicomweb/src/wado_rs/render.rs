//! PS3.18 8.3.5, what a rendered picture should look like, and having it made.

use axum::response::Response;
use conversion::PictureError;
use database::{HeaderRecord, StoredInstance};
use http::{HeaderValue, StatusCode, header};
use rendering::{EncodedImage, ImageFormat, Output, Region, RenderOptions, VoiFunction};
use service::http::problem::Problem;

use super::{read_problem, transcode::Patience};
use crate::{
    acceptable::Acceptable,
    media_type::{Form, Representation},
    state::App,
};

/// Quality of JPEG where none is asked for.
const JPEG_QUALITY: u8 = 90;
/// Longest side of a picture in pixels.
pub const SIDE_MAX_PIXELS: u32 = 4096;

/// The formats that can be sent, the usual one first.
pub const FORMATS: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/// The values of `annotation` that the Standard knows (PS3.18 8.3.5.1.1).
const ANNOTATIONS: [&str; 2] = ["patient", "technique"];
/// Columns or rows that reach the edge of every image: there are no more (PS3.3 C.7.6.3.1).
const TO_THE_EDGE: f64 = 65_535.0;

/// Reads Accept, `window`, `viewport` and `quality`.
pub fn output(acceptable: &Acceptable, form: Form) -> Result<Output, Problem> {
    output_in(acceptable, &[form]).map(|(output, _)| output)
}

/// The same where there is more than one form to send it in, the usual one first.
pub fn output_in(acceptable: &Acceptable, forms: &[Form]) -> Result<(Output, Form), Problem> {
    let quality = match acceptable.parameter("quality") {
        None => JPEG_QUALITY,
        Some(text) => {
            let quality = text.trim().parse::<u8>().ok().filter(|quality| (1..=100).contains(quality));
            quality.ok_or_else(|| refused("quality", "a whole number from 1 to 100"))?
        }
    };
    let offers: Vec<Representation> =
        forms.iter().flat_map(|form| FORMATS.map(|format| Representation::new(*form, format, ""))).collect();
    let chosen = acceptable.choose(&offers)?;
    let format = format_of(&chosen.media_type, quality);
    let window = acceptable.parameter("window").map(window).transpose()?;
    let (size_max, region) = viewport(acceptable)?.unzip();
    let options = RenderOptions { window, size_max, enlarge: size_max.is_some(), region: region.flatten() };
    options.check().map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok((Output { options, format }, chosen.form))
}

/// What is to be said of `annotation`: nothing is burnt into pictures here. 400 when it names something else than the
/// Standard's keywords.
pub fn annotation(acceptable: &Acceptable) -> Result<Option<HeaderValue>, Problem> {
    let Some(text) = acceptable.parameter("annotation") else { return Ok(None) };
    let values: Vec<&str> = text.split(',').map(str::trim).collect();
    if !values.iter().all(|value| ANNOTATIONS.contains(value)) {
        return Err(refused("annotation", "patient, technique, or both with a comma between them"));
    }
    let named: Vec<&str> = ANNOTATIONS.into_iter().filter(|known| values.contains(known)).collect();
    let named = named.join(", ");
    let warning = format!("299 maxray \"The following annotation values are not supported: {named}\"");
    Ok(HeaderValue::from_str(&warning).ok())
}

/// An answer with what [`annotation`] gave.
pub fn warned(mut response: Response, warning: Option<HeaderValue>) -> Response {
    if let Some(warning) = warning {
        response.headers_mut().append(header::WARNING, warning);
    }
    response
}

/// The format of one of [`FORMATS`].
pub fn format_of(media_type: &str, quality: u8) -> ImageFormat {
    match media_type {
        "image/png" => ImageFormat::Png,
        "image/webp" => ImageFormat::Webp,
        "image/gif" => ImageFormat::Gif { delay: 0 },
        _ => ImageFormat::Jpeg { quality },
    }
}

fn refused(name: &str, message: &str) -> Problem {
    Problem::bad_request("a query parameter cannot be understood; see errors").field(name, message)
}

/// `center,width,function` (PS3.18 8.3.5.1.4); the function may be left out.
fn window(text: &str) -> Result<(f64, f64, VoiFunction), Problem> {
    let wrong =
        || refused("window", "center,width,function; the function is linear, linear-exact or sigmoid");
    let mut pieces = text.split(',').map(str::trim);
    let mut number = || pieces.next()?.parse::<f64>().ok().filter(|number| number.is_finite());
    let (center, width) = number().zip(number()).ok_or_else(wrong)?;
    let function = VoiFunction::parse(pieces.next().unwrap_or_default()).ok_or_else(wrong)?;
    if pieces.next().is_some() { Err(wrong()) } else { Ok((center, width, function)) }
}

/// The size that a picture is fitted into, and the part of the image that it shows.
pub type Viewport = ((u32, u32), Option<Region>);

/// `width,height` that the picture is fitted into, and the part of the image that is shown, `x,y,width,height` in its
/// pixels (PS3.18 8.3.5.1.3). Each number of the part may be left out, its comma stays when another one follows.
pub fn viewport(acceptable: &Acceptable) -> Result<Option<Viewport>, Problem> {
    let Some(text) = acceptable.parameter("viewport") else { return Ok(None) };
    let message = "width,height from 1 to 4096, and if need be the x,y,width,height of a part of the image, \
                   each of which may be left out; a negative width or height of the part flips it";
    parse_viewport(text).map(Some).ok_or_else(|| refused("viewport", message))
}

fn parse_viewport(text: &str) -> Option<Viewport> {
    let mut pieces = text.split(',').map(str::trim);
    let mut side = || {
        // Some clients send fractions.
        let side = pieces.next()?.parse::<f64>().ok()?;
        (1.0..=f64::from(SIDE_MAX_PIXELS)).contains(&side).then(|| side.round() as u32)
    };
    let sides = side().zip(side())?;
    let mut part: [Option<f64>; 4] = [None; 4];
    for place in &mut part {
        if let Some(piece) = pieces.next().filter(|piece| !piece.is_empty()) {
            *place = Some(piece.parse().ok()?);
        }
    }
    if pieces.next().is_some() {
        return None;
    }
    if part.iter().all(Option::is_none) {
        return Some((sides, None));
    }
    let [x, y, columns, rows] = part;
    let (columns, rows) = (columns.unwrap_or(TO_THE_EDGE), rows.unwrap_or(TO_THE_EDGE));
    let region = Region::pixels(x.unwrap_or(0.0), y.unwrap_or(0.0), columns, rows)?;
    Some((sides, Some(region)))
}

/// Renders frame `index`.
pub async fn render(
    app: &App,
    instance: &StoredInstance,
    header: &HeaderRecord,
    index: usize,
    output: Output,
    patience: Patience,
) -> Result<EncodedImage, Problem> {
    let made = app.converter.picture(instance, header, index, output, patience).await;
    made.map_err(|error| match error {
        PictureError::NoSuchFrame => Problem::not_found(),
        PictureError::InvalidOptions(detail) => Problem::bad_request(detail),
        PictureError::NotRenderable(detail) => not_renderable(&detail),
        PictureError::Read(error) => read_problem(&error),
        PictureError::Problem(problem) => problem,
    })
}

/// PS3.18 10.4.3: there is no acceptable representation of this instance.
pub fn not_renderable(detail: &str) -> Problem {
    Problem::new(StatusCode::NOT_ACCEPTABLE).kind("not-renderable").detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(query: &[(&str, &str)]) -> Result<Output, u16> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        output(&Acceptable { query, ..Acceptable::default() }, Form::SinglePart)
            .map_err(|problem| problem.status)
    }

    #[test]
    fn wishes() {
        let plain = with(&[]).expect("valid");
        assert_eq!(plain.format, ImageFormat::Jpeg { quality: 90 });
        assert_eq!((plain.options.window, plain.options.size_max), (None, None));
        let wished = with(&[("window", "40, 400,linear-exact"), ("viewport", "100,200.0"), ("quality", "1")]);
        let wished = wished.expect("valid");
        assert_eq!(wished.options.window, Some((40.0, 400.0, VoiFunction::LinearExact)));
        assert_eq!(wished.options.size_max, Some((100, 200)));
        assert_eq!(wished.format, ImageFormat::Jpeg { quality: 1 });
    }

    #[test]
    fn parts_of_an_image() {
        let edge = TO_THE_EDGE;
        for (part, expected) in [
            ("", None),
            (",10,20,30,40", Region::pixels(10.0, 20.0, 30.0, 40.0)),
            (",,,256,256", Region::pixels(0.0, 0.0, 256.0, 256.0)),
            (",10,10", Region::pixels(10.0, 10.0, edge, edge)),
            (",10,,5", Region::pixels(10.0, 0.0, 5.0, edge)),
            (", 1 ,2, -5, 6.5", Region::pixels(1.0, 2.0, -5.0, 6.5)),
            (",,,,-6", Region::pixels(0.0, 0.0, edge, -6.0)),
        ] {
            let viewport = format!("512,512{part}");
            let options = with(&[("viewport", viewport.as_str())]).expect(part).options;
            assert_eq!((options.size_max, options.region), (Some((512, 512)), expected), "{part}");
        }
    }

    #[test]
    fn annotations_are_known_and_not_drawn() {
        let said = |value: &str| {
            let query = vec![("annotation".to_owned(), value.to_owned())];
            annotation(&Acceptable { query, ..Acceptable::default() }).map_err(|problem| problem.status)
        };
        assert_eq!(annotation(&Acceptable::default()).expect("nothing asked for"), None);
        let start = "299 maxray \"The following annotation values are not supported: ";
        for (value, named) in [("patient", "patient"), ("technique, patient", "patient, technique")] {
            let warning = said(value).expect(value).expect("a warning");
            assert_eq!(warning.to_str().expect("ASCII"), format!("{start}{named}\""));
        }
        for value in ["", "all", "patient,", "patient;technique", "PATIENT"] {
            assert_eq!(said(value), Err(400), "{value}");
        }
    }

    #[test]
    fn absurd_wishes_are_refused() {
        for (name, value) in [
            ("window", "NaN,1,linear"),
            ("window", "40"),
            ("window", "40,inf"),
            ("window", "40,0"),
            ("window", "40,400,cubic"),
            ("window", "40,400,linear,1"),
            ("viewport", "0,10"),
            ("viewport", "1e9,10"),
            ("viewport", "100"),
            ("viewport", "10,,0,0,5,5"),
            ("viewport", "-10,10"),
            ("viewport", "10,10,0,0,0,5"),
            ("viewport", "10,10,0,0,-0,5"),
            ("viewport", "10,10,NaN,0,5,5"),
            ("viewport", "10,10,0,0,inf,5"),
            ("viewport", "10,10,x"),
            ("viewport", "10,10,0,0,5,5,5"),
            ("quality", "0"),
            ("quality", "101"),
            ("quality", "1e9"),
        ] {
            assert_eq!(with(&[(name, value)]), Err(400), "{name}={value}");
        }
    }
}
