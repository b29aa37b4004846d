//! PS3.18 8.3.5, what a rendered picture should look like, and having it made.

use conversion::PictureError;
use database::{HeaderRecord, StoredInstance};
use http::StatusCode;
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

/// Reads Accept, `window`, `viewport` and `quality`.
pub fn output(acceptable: &Acceptable, form: Form) -> Result<Output, Problem> {
    let quality = match acceptable.parameter("quality") {
        None => JPEG_QUALITY,
        Some(text) => {
            let quality = text.trim().parse::<u8>().ok().filter(|quality| (1..=100).contains(quality));
            quality.ok_or_else(|| refused("quality", "a whole number from 1 to 100"))?
        }
    };
    let offers = FORMATS.map(|format| Representation::new(form, format, ""));
    let format = format_of(&acceptable.choose(&offers)?.media_type, quality);
    let window = acceptable.parameter("window").map(window).transpose()?;
    let (size_max, region) = viewport(acceptable)?.unzip();
    let options = RenderOptions { window, size_max, enlarge: size_max.is_some(), region: region.flatten() };
    options.check().map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(Output { options, format })
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
/// pixels, which may be left out (PS3.18 8.3.5.1.3). Images are not mirrored: negative sizes are refused.
pub fn viewport(acceptable: &Acceptable) -> Result<Option<Viewport>, Problem> {
    let Some(text) = acceptable.parameter("viewport") else { return Ok(None) };
    let wrong = || {
        let message =
            "width,height from 1 to 4096, and if need be the x,y,width,height of a part of the image";
        refused("viewport", message)
    };
    // The Standard has decimal numbers here.
    let numbers = text.split(',').map(|number| number.trim().parse::<f64>().ok());
    let numbers: Vec<f64> = numbers.collect::<Option<_>>().ok_or_else(wrong)?;
    let (sides, region) = match numbers[..] {
        [width, height] => ((width, height), None),
        [width, height, x, y, columns, rows] => {
            ((width, height), Some(Region::pixels(x, y, columns, rows).ok_or_else(wrong)?))
        }
        _ => return Err(wrong()),
    };
    let fits = |side: f64| (1.0..=f64::from(SIDE_MAX_PIXELS)).contains(&side).then(|| side.round() as u32);
    let sides = fits(sides.0).zip(fits(sides.1)).ok_or_else(wrong)?;
    Ok(Some((sides, region)))
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
        let part = with(&[("viewport", "100,200,10,20,30,40")]).expect("valid").options.region;
        assert_eq!(part, Region::pixels(10.0, 20.0, 30.0, 40.0));
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
            ("viewport", "10,10,0,0,5"),
            ("viewport", "10,10,0,0,-5,5"),
            ("viewport", "10,10,0,0,0,5"),
            ("viewport", "10,10,NaN,0,5,5"),
            ("quality", "0"),
            ("quality", "101"),
            ("quality", "1e9"),
        ] {
            assert_eq!(with(&[(name, value)]), Err(400), "{name}={value}");
        }
    }
}
