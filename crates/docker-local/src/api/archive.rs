//! Files of containers: a tar that was put somewhere comes out from there as it was.

use super::Call;
use crate::answer::Answer;

/// `{"name":"data","size":0,"mode":2147484141,"mtime":"2026-01-01T00:00:00Z","linkTarget":""}`
const STAT: &str = "eyJuYW1lIjoiZGF0YSIsInNpemUiOjAsIm1vZGUiOjIxNDc0ODQxNDEsIm10aW1lIjoiMjAyNi0wMS0wMVQwMDowMDowMFoiLCJsaW5rVGFyZ2V0IjoiIn0=";

impl Call<'_> {
    pub(super) fn archive(&self, id: &str) -> Answer {
        let path = self.request.query("path").unwrap_or_default();
        let place = (id.to_owned(), path.to_owned());
        if self.request.method == "PUT" {
            let body = self.request.body.clone();
            self.state
                .change(|inner| inner.archives.insert(place, body));
            return Answer::empty(200);
        }
        match self.state.lock().archives.get(&place) {
            Some(tar) => Answer::bytes(200, tar.clone())
                .header("Content-Type", "application/x-tar")
                .header("X-Docker-Container-Path-Stat", STAT),
            None => {
                let message = format!("Could not find the file {path} in container {id}");
                Answer::error(404, &message)
            }
        }
    }
}
