/** Inpainting U-Nets, which see the mask and the masked picture beside the latents. */
import type { UNetConfig } from "../../models/unet.ts";
import type { DenoiserSide } from "../family.ts";

/** Whether a U-Net's input is its latents, the mask, and the latents of the masked picture. */
export const inpaints = ({ in_channels, out_channels }: Pick<UNetConfig, "in_channels" | "out_channels">): boolean =>
  in_channels === 2 * out_channels + 1;

/** The channels of a U-Net's latents, and what else it sees. */
export const latentsOf = (
  config: Pick<UNetConfig, "in_channels" | "out_channels">,
): Pick<DenoiserSide, "channels" | "sees"> => ({
  channels: config.out_channels,
  ...(inpaints(config) && { sees: "masked picture" }),
});
