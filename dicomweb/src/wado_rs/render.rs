//! PS3.18 8.3.5, what a rendered picture should look like, and making it: in this process where the samples are
//! native, else in the decoder's.

use database::{HeaderRecord, StoredInstance};
use http::StatusCode;
use rendering::{
    EncodedImage, ImageFormat, Output, Region, RenderError, RenderOptions, VoiFunction,
    is_native_and_checked, render_outputs,
    wire::{self, Request, Response, Task},
};
use service::{decoder::DecoderError, http::problem::Problem};

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
    options.check().map_err(|error| render_problem(&error))?;
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
    let Some(module) = header.pixel_module.clone() else {
        return Err(not_renderable("the instance has no pixel data"));
    };
    let length = conversion::frame_length(&header.frame_table, index).ok_or_else(Problem::not_found)?;
    if length > app.converter.frame_length_max_bytes() {
        return Err(not_renderable("the frame is too long"));
    }
    let _place = app.converter.place(patience).await?;
    let frame =
        app.archive.read_frame(instance, header, index).await.map_err(|error| read_problem(&error))?;
    let transfer_syntax_uid = instance.transfer_syntax_uid.clone();
    if is_native_and_checked(&transfer_syntax_uid) {
        let work =
            move || render_outputs(&module, &transfer_syntax_uid, &frame, std::slice::from_ref(&output));
        let rendered = tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?;
        return only(rendered);
    }
    let request = Request { module, transfer_syntax_uid, task: Task::Render(vec![output]) };
    let message = wire::encode_request(&request, &frame).map_err(|error| render_problem(&error))?;
    drop(frame);
    let answer = app.converter.decoder().run(message).await.map_err(|error| decoder_problem(&error))?;
    only(match wire::decode_response(&answer) {
        Ok(Response::Rendered(pictures)) => Ok(pictures),
        Ok(Response::Decoded(_) | Response::Transcoded(_)) => {
            Err(RenderError::Wire("samples instead of pictures".into()))
        }
        Err(error) => Err(error),
    })
}

fn only(rendered: Result<Vec<EncodedImage>, RenderError>) -> Result<EncodedImage, Problem> {
    let picture = rendered.map_err(|error| render_problem(&error))?.pop();
    picture.ok_or_else(|| not_renderable("the decoder made no picture"))
}

/// PS3.18 10.4.3: there is no acceptable representation of this instance.
pub fn not_renderable(detail: &str) -> Problem {
    Problem::new(StatusCode::NOT_ACCEPTABLE).kind("not-renderable").detail(detail)
}

fn render_problem(error: &RenderError) -> Problem {
    match error {
        RenderError::InvalidOptions(_) => Problem::bad_request(error.to_string()),
        RenderError::Implausible(_)
        | RenderError::TooLarge { .. }
        | RenderError::Truncated { .. }
        | RenderError::UnsupportedCodec(_)
        | RenderError::Unsupported(_)
        | RenderError::Malformed { .. }
        | RenderError::Mismatch { .. }
        | RenderError::Panicked => not_renderable(&error.to_string()),
        RenderError::Encode(_) | RenderError::Wire(_) => Problem::internal(error),
    }
}

fn decoder_problem(error: &DecoderError) -> Problem {
    tracing::warn!(%error, "a frame was not rendered");
    not_renderable(&error.to_string())
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
