"""What can be said of the body, the cameras and the scene; the values are the defaults."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BodyConfig:
    """The body that is rendered."""

    # `anny` needs nothing; `smplx` needs a licensed file.
    name: Literal["anny", "smplx"] = "anny"
    # Of anny: `low` has 1,229 vertices, `full` 13,718.
    resolution: Literal["low", "full"] = "low"
    # Anny's phenotype, from 0 to 1; 0.5 is the average. Gender: 0 male, 1 female.
    gender: float = 0.5
    # 0 a baby, 1/3 a child, 2/3 a young adult, 1 old.
    age: float = 0.5
    height: float = 0.5
    weight: float = 0.5
    muscle: float = 0.5
    # 0 ideal, 1 uncommon.
    proportions: float = 0.5
    # SMPL-X's model file, or the folder with SMPLX_NEUTRAL*.npz or .pkl; null takes SMPLX_DIR.
    model_path: str | None = None
    # SMPL-X's shape and expression coefficients, the first ones; the others are zero.
    betas: tuple[float, ...] = ()
    expression: tuple[float, ...] = ()


@dataclass(frozen=True)
class CameraConfig:
    """From where the body is seen; the shipped prior was trained with the defaults."""

    # Angle of the camera above the horizon, radians.
    elevation: float = 0.15
    # From the target, metres.
    distance: float = 4.0
    # Height of the point looked at above the ground, metres.
    target_height: float = 0.95
    # Vertical field of view, radians.
    fov_y: float = 0.52
    # Image height and width, pixels; null takes the prior's own, and so its aspect.
    size: tuple[int, int] | None = None
    # How far each view of the distillation may be off the above, drawn anew at every update.
    elevation_jitter: float = 0.0
    distance_jitter: float = 0.0
    fov_jitter: float = 0.0


@dataclass(frozen=True)
class RenderConfig:
    """What is seen of the body and around it; the shipped prior was trained with the defaults."""

    # `parts` tells all limbs apart, `plain` has one colour, `clothing` is drawn from
    # `render.outfit`, and `texture` is an image, for bodies with texture coordinates.
    appearance: Literal["parts", "plain", "clothing", "texture"] = "parts"
    # Of the plain body, sRGB from 0 to 1.
    colour: tuple[float, float, float] = (0.70, 0.70, 0.72)
    # Seed of the clothes.
    outfit: int = 0
    # Image file of the texture.
    texture: str | None = None
    # `lambert` is lit from `render.light`; `normals` shows normals instead of the appearance.
    shading: Literal["lambert", "unlit", "normals"] = "lambert"
    # Towards the light, in the world: +Y is up, and the subject faces +Z.
    light: tuple[float, float, float] = (0.35, 0.80, 0.49)
    # Brightness of what faces away from the light.
    ambient: float = 0.62
    # `image` covers the frame with an image; `cube` surrounds the scene with six.
    background: Literal["solid", "sky", "image", "cube"] = "solid"
    # Of the solid background, sRGB from 0 to 1.
    background_colour: tuple[float, float, float] = (0.90, 0.93, 0.97)
    # Image file, or for `cube` the folder with right, left, top, bottom, front and back.
    background_file: str | None = None
    ground: Literal["plain", "checkered", "none"] = "plain"
    # Of plain ground, or of every second square; sRGB from 0 to 1.
    ground_colour: tuple[float, float, float] = (0.74, 0.73, 0.70)
    # How dark the ground is under the body; null is 0 on plain ground and 0.55 on checkered.
    shadow: float | None = None
    # Drawn by chance: the surroundings, the light, or both and the colours or clothes of the body,
    # too. `optimize` draws anew at every update of the distillation, `render` once for the film.
    randomize: Literal["nothing", "background", "light", "everything"] = "nothing"
    # `nvdiffrast` is an optional library for CUDA devices; `auto` takes it where it is there, else
    # `cpu`. `reference` is slow, and the truth for the others.
    rasterizer: Literal["cpu", "nvdiffrast", "reference", "auto"] = "cpu"
    # Every pixel is the mean of this many, squared. Where outlines meet, 2 halves the error of the
    # gradient, and 4 brings it within 2 % of the truth at 64 pixels.
    supersampling: int = 1
