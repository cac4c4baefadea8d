"""Films of finished motions: cameras, pictures, frames."""
