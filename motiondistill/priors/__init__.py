"""Score priors: text-to-video models as denoisers `x0 + sigma n -> x0` on latents."""

from motiondistill.priors.base import Conditioning as Conditioning
from motiondistill.priors.base import DiffusersPrior as DiffusersPrior
from motiondistill.priors.base import Prior as Prior
from motiondistill.priors.base import VideoFormat as VideoFormat
from motiondistill.priors.gaussian import Gaussian as Gaussian
from motiondistill.priors.gaussian import GaussianPrior as GaussianPrior
from motiondistill.priors.guidance import guide as guide
from motiondistill.priors.loading import EMBEDDED_IMAGE_PRIOR as EMBEDDED_IMAGE_PRIOR
from motiondistill.priors.loading import EMBEDDED_PRIOR as EMBEDDED_PRIOR
from motiondistill.priors.loading import load_prior as load_prior
from motiondistill.priors.loading import randomized as randomized
from motiondistill.priors.sampling import sample as sample
from motiondistill.priors.sampling import sampling_steps as sampling_steps
