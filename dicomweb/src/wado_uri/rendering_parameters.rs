//! PS3.18 9.1.2.2, the parameters of a request by URI that say how the picture looks.

use rendering::{Region, RenderOptions, VoiFunction};
use service::http::problem::Problem;

use super::{UriQuery, refused};
use crate::wado_rs::render;

/// Quality of JPEG where none is asked for.
const JPEG_QUALITY: u8 = 90;

/// PS3.18 9.1.2.2: how the picture should look, and its quality.
pub(super) fn looks(query: &UriQuery) -> Result<(RenderOptions, u8), Problem> {
    let quality = query.number("imageQuality", 1.0, 100.0)?.map_or(JPEG_QUALITY, |quality| quality as u8);
    let side = |name| query.number(name, 1.0, f64::from(render::SIDE_MAX_PIXELS));
    let (rows, columns) = (side("rows")?, side("columns")?);
    let most = f64::from(render::SIDE_MAX_PIXELS);
    let size_max = (rows.is_some() || columns.is_some())
        .then(|| (columns.unwrap_or(most) as u32, rows.unwrap_or(most) as u32));
    let centre = query.number("windowCenter", f64::MIN, f64::MAX)?;
    let width = query.number("windowWidth", f64::MIN_POSITIVE, f64::MAX)?;
    let window = match (centre, width) {
        (Some(centre), Some(width)) => Some((centre, width, VoiFunction::Linear)),
        (None, None) => None,
        _ => return Err(refused("windowCenter", "windowCenter and windowWidth come together")),
    };
    let region = query.value("region").map(region).transpose()?;
    let options = RenderOptions { window, size_max, enlarge: size_max.is_some(), region };
    options.check().map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok((options, quality))
}

/// Left, top, right, bottom as shares of the width and height (PS3.18 9.1.2.2.3).
fn region(text: &str) -> Result<Region, Problem> {
    let numbers: Vec<f64> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let region = match numbers[..] {
        [left, top, right, bottom] => Region::shares(left, top, right, bottom),
        _ => None,
    };
    region.ok_or_else(|| refused("region", "left,top,right,bottom from 0.0 to 1.0, the second pair greater"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wado_uri::tests::query;

    #[test]
    fn wishes() {
        let (plain, quality) = looks(&query(&[])).expect("valid");
        assert_eq!((plain.window, plain.size_max, quality), (None, None, 90));
        let all = query(&[
            ("imageQuality", "20"),
            ("rows", "100"),
            ("columns", "50"),
            ("WINDOWCENTER", "40"),
            ("windowWidth", "400"),
            ("region", "0.25,0,0.75,1"),
        ]);
        let (options, quality) = looks(&all).expect("valid");
        assert_eq!((options.size_max, quality), (Some((50, 100)), 20));
        assert_eq!(options.window, Some((40.0, 400.0, VoiFunction::Linear)));
        assert_eq!(options.region, Region::shares(0.25, 0.0, 0.75, 1.0));
    }

    #[test]
    fn absurd_wishes_are_refused() {
        for (name, value) in [
            ("rows", "0"),
            ("rows", "1e9"),
            ("columns", "x"),
            ("imageQuality", "0"),
            ("imageQuality", "NaN"),
            ("windowCenter", "40"),
            ("region", "0,0,1"),
            ("region", "0.5,0,0.5,1"),
            ("region", "0,0,1,2"),
            ("region", "NaN,0,1,1"),
        ] {
            assert_eq!(looks(&query(&[(name, value)])).expect_err(value).status, 400, "{name}={value}");
        }
    }
}
