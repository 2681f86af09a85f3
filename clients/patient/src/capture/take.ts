/** A video to look at before it is sent: filmed just now, or chosen from the device. */
export interface Take {
  video: Blob;
  fileName: string;
  filmed: boolean;
}
