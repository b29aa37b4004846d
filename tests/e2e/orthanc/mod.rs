//! Orthanc against every service: as a modality that sends, asks for work and for commitment, as a workstation that queries and
//! retrieves, and as an archive that is queried and sent to.

mod commitment;
mod retrieving;
mod sending;
mod worklist;

use std::collections::BTreeMap;

use tests::{
    fixtures,
    orthanc::Orthanc,
    part10,
    platform::{Options, Platform},
    scu::{Reference, store},
    synthetic::Synthetic,
};

/// Everything that an AE may do here.
const EVERYTHING: &[&str] = &[
    "--operation",
    "echo",
    "--operation",
    "store",
    "--operation",
    "find",
    "--operation",
    "move",
    "--operation",
    "get",
    "--operation",
    "commit",
    "--operation",
    "worklist",
];

/// One instance in each transfer syntax that DCMTK sends and takes: no two are the same instance, and Orthanc takes all of them.
const INSTANCES: [&str; 12] = [
    "pydicom/SC_rgb_jpeg_dcmd.dcm",
    "cornerstone3d/TestPattern_RGB.dcm",
    "pydicom/image_dfl.dcm",
    "pydicom/MR_small_bigendian.dcm",
    "pydicom/SC_rgb_dcmtk__eb_cr.dcm",
    "pydicom/JPEG-lossy.dcm",
    "cornerstone3d/TestPattern_JPEG-Lossless_RGB.dcm",
    "cornerstone3d/TestPattern_JPEG-LS-Lossless.dcm",
    "cornerstone3d/CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm",
    "pydicom/J2K_pixelrep_mismatch.dcm",
    "pydicom/693_J2KI.dcm",
    "pydicom/SC_rgb_rle.dcm",
];

/// A server and an Orthanc that know each other, as `maxray` and ORTHANC.
async fn pair(options: Options) -> (Platform, Orthanc) {
    let (platform, orthanc) = tokio::join!(Platform::start(options), Orthanc::start());
    let port = orthanc.dicom().port().to_string();
    let call = ["--call-host", "127.0.0.1", "--call-port", &port];
    platform.register_ae("ORTHANC", &[EVERYTHING, &call].concat());
    orthanc.know("maxray", "MAXRAY", platform.dicom()).await;
    (platform, orthanc)
}

/// Gives Orthanc a file in each transfer syntax; their files by SOP Instance UID as DCMTK's storescp gets them from it: Orthanc reads
/// what it has and writes it anew when it sends, so its own files are not what goes over the wire.
async fn fill(orthanc: &Orthanc) -> BTreeMap<String, Vec<u8>> {
    for name in INSTANCES {
        orthanc.upload(fixtures::file(name).read()).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let witness = Reference::start(folder.path());
    orthanc.know("witness", "WITNESS", witness.address()).await;
    send_all(orthanc, "witness").await;
    let sent = by_instance(witness.take());
    let syntaxes: std::collections::BTreeSet<String> =
        sent.values().map(|file| part10::head(file).expect("a file").transfer_syntax_uid).collect();
    assert_eq!((sent.len(), syntaxes.len()), (INSTANCES.len(), INSTANCES.len()), "{syntaxes:?}");
    sent
}

/// Lets Orthanc send everything that it has.
async fn send_all(orthanc: &Orthanc, modality: &str) {
    let all = orthanc.get("/instances").await;
    let said = orthanc.post(&format!("/modalities/{modality}/store"), &all).await;
    let all = all.as_array().expect("a list");
    assert_eq!((&said["InstancesCount"], &said["FailedInstancesCount"]), (&all.len().into(), &0.into()));
}

fn by_instance(files: Vec<Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files
        .into_iter()
        .map(|file| (part10::head(&file).expect("a Part 10 file").sop_instance_uid, file))
        .collect()
}
